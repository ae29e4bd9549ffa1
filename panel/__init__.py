"""The MIDDAG contact panel for Chatwoot: who is talking, from the back office, beside the chat.

The map, in reading order. Imports point towards the top of this list, never down it:

    plain values    settings · errors · models · labels · formats
    tools           breaker · http · flights · cache · db · links · directory · audit · journal
    outside worlds  middag (the back office) · chatwoot
    hall            access (proofs and seals) · services: the shared objects, built once
    reading wing    sections · identity · visits · drawing · views · actions · health
    writing wing    sync: see its own map
    for people      terminal · installation · commands · demo

`app.create_app` knows everyone; the two wings do not know each other.
"""
