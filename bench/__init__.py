"""`make bench`: how fast, how cheap, how large; every figure against a rival of the same run.

Everything runs on loopback and is stopped at the end. In reading order:

    figures.py     samples, marks, the table and its JSON
    wire.py        a client that costs less than what it measures
    machine.py     what is started: gunicorn, worker, Redis, PostgreSQL; its CPU time and memory
    rival.py       the bare Flask views that the panel is measured against
    variants.py    the panel with other lifetimes
    stage.py       the built-in worlds, many organizations, panels and what a browser does with them
    reading.py     the rows of the reading wing
    path.py        how many modules an opening enters
    scale.py       the rows that ask how the cost grows
    writing.py     the rows of the writing wing
    shop.py        the rows of a shop beside a backfill
    wing.py        passes between worlds of their own, for the rows of lanes and night
    lanes.py       how soon a hook reaches Chatwoot beside thousands of other passes
    night.py       what a night costs
    filling.py     a database as thousands of passes would have left it
    growth.py      what grows with the number of organizations
    flood.py       bursts of webhooks
    row.py         what a row is
    rows.py        ROWS: the table of the benchmark
"""
