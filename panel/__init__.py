"""The MIDDAG contact panel for Chatwoot: who is talking, from the back office, beside the chat.

The map, in reading order. Imports point towards the top of this list, never down it:

    plain values    settings · errors · models · labels · phones · formats · pace
    tools           breaker · http · flights · memory · marks · copies · store · cache · db ·
                    links · directory · terms · audit · attempts · journal
    outside worlds  middag (the back office) · chatwoot
    hall            access (who may look: seals) · sessions · profiles · proofs (who is looking) ·
                    services: the shared objects, built once
    reading wing    sections · identity · visits · verdicts · search · drawing · signing · views ·
                    actions · assets · health
    writing wing    sync: see its own map
    for people      terminal · installation · commands · demo

`app.create_app` knows everyone; the two wings do not know each other.
"""
