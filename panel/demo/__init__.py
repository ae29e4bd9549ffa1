"""A built-in back office and a built-in Chatwoot that speak real HTTP.

Both serve `make demo` and the tests. The panel reaches them through its own settings, clients and
sockets, so the panel cannot tell them from the real ones. The modules in reading order:

    world.py           a WSGI app that writes down every call
    scenarios.py       SCENARIOS: which customer writes to us, and what is wrong with the world
    companies.py       how the rows of an organization are made
    acme.py            the organization of most scenarios
    catalogue.py       COMPANIES: what the back office knows of each organization
    faults.py          FAULTS: every way in which the back office can fail
    backoffice.py      BackOffice: MIDDAG Account's REST API
    rails.py           what Rails does below Chatwoot: JSON, moments, error pages
    records.py         what a new row of Chatwoot holds
    outbox.py          its webhooks on their way
    account.py         Account: what Chatwoot knows, and what a test switches
    shapes.py          how it shows contacts, agents and teams
    inbox_settings.py  how it shows inboxes
    messages.py        how it shows messages
    events.py          what it tells of a change, and to whom
    filters.py         its filter language
    contact_lists.py   its calls that find contacts
    conversations.py   its calls about conversations
    message_calls.py   its calls about the messages of a conversation
    contacts.py        its calls about one contact
    people.py          its calls about agents, inboxes and teams
    administration.py  its calls about attribute definitions, dashboard apps and webhooks
    identification.py  who a visitor says they are makes them somebody
    mail.py            how a mail becomes a message
    visitors.py        who a visitor is by now
    widget_chat.py     a visitor's calls about conversations
    widget.py          the other calls of visitors, who are asked for no proof
    chatwoot.py        Chatwoot: who may call what; the manners of the real one
    page.py            the page with the frame, and its bench
    worlds.py          serve() and demo_worlds()
    serve.py           one port for both worlds and the panel: `python -m panel.demo`

`tests/demo/test_replay.py` compares Chatwoot with the recordings of a real one. Other facts about
the real ones come from MIDDAG Account's public documentation (REST API reference, field glossary,
status labels) and from Chatwoot's source at v4.16.2; an inferred fact is marked as such in its
place.
"""
