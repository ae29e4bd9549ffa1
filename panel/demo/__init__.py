"""A built-in back office and a built-in Chatwoot that speak real HTTP.

They serve `make demo` and the tests: the panel reaches them through its own settings, clients and
sockets, so nothing in the panel knows that they are not the real ones. In reading order:

    world.py           a WSGI app that writes down every call
    scenarios.py       SCENARIOS: which customer writes to us, and what is wrong with the world
    companies.py       how the rows of an organization are made
    catalogue.py       COMPANIES: what the back office knows of each organization
    faults.py          FAULTS: every way in which the back office can fail
    backoffice.py      BackOffice: MIDDAG Account's REST API
    records.py         what a new row of Chatwoot holds
    account.py         Account: what Chatwoot knows, and what a test switches
    messages.py        how its API shows a message
    filters.py         Chatwoot's filter language
    contact_lists.py   its calls that find contacts
    contacts.py        its calls about one contact
    conversations.py   its calls about conversations
    people.py          its calls about agents, inboxes and teams
    widget.py          its calls of website visitors, who are asked for no proof
    administration.py  its calls about attribute definitions, dashboard apps and webhooks
    chatwoot.py        Chatwoot: who may call what; the manners of the real one
    page.py            the page with the frame, and its bench
    worlds.py          serve() and demo_worlds()
    serve.py           one port for both worlds and the panel: `python -m panel.demo`

Foreign facts come from MIDDAG Account's public documentation (REST API reference, field glossary,
status labels) and from Chatwoot's source at v4.16.2; what was inferred says so where it stands.
"""
