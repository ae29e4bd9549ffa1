"""A built-in back office and a built-in Chatwoot that speak real HTTP.

Both serve `make demo` and the tests. The panel reaches them through its own settings, clients and
sockets, so the panel cannot tell them from the real ones. The modules in reading order:

    world.py           the base of both worlds: a WSGI app that records every call
    scenarios.py       SCENARIOS: the customers who write, and the faults of each world
    companies.py       makes the rows of an organization
    acme.py            the organization of most scenarios
    catalogue.py       COMPANIES: the organizations that the back office knows
    faults.py          FAULTS: every way in which the back office can fail
    backoffice.py      BackOffice: MIDDAG Account's REST API
    rails.py           the part of Rails below Chatwoot: JSON, moments, error pages
    records.py         the defaults of Chatwoot's new rows
    outbox.py          Chatwoot's webhooks on their way
    account.py         Account: the data of Chatwoot, and the switches of tests
    shapes.py          the JSON of contacts, agents and teams
    inbox_settings.py  the JSON of inboxes
    messages.py        the JSON of messages
    events.py          the events that webhooks carry, and when they are sent
    filters.py         the filter language
    contact_lists.py   API calls that find contacts
    conversations.py   API calls about conversations
    message_calls.py   API calls about the messages of a conversation
    contacts.py        API calls about one contact
    people.py          API calls about agents, inboxes and teams
    administration.py  API calls about attribute definitions, dashboard apps and webhooks
    identification.py  merges a visitor into the contact that has one of the visitor's keys
    mail.py            makes a message of a mail
    visitors.py        the present identity of a visitor
    widget_chat.py     a visitor's calls about conversations
    widget.py          a visitor's other calls, which need no proof
    chatwoot.py        Chatwoot: dispatch and permissions, as in the real one
    page.py            the page with the frame, and the controls to break the worlds
    worlds.py          serve() and demo_worlds()
    serve.py           one port for both worlds and the panel: `python -m panel.demo`

`tests/demo/test_replay.py` compares Chatwoot with the recordings of a real one. Other facts about
the real ones come from MIDDAG Account's public documentation (REST API reference, field glossary,
status labels) and from Chatwoot's source at v4.16.2; an inferred fact is marked as such in its
place.
"""
