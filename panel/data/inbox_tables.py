"""The two tables of the inbox, and the states of a hook.

`hooks` is the record of all hooks: sender's words, times and outcome; never the payload. `passes`
has one row for each organization that ever had a hook: the waiting pass, the running one, and the
number of failures. Times are epoch seconds.
"""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from panel.data.db import metadata, partial_index

WAITING, DONE, IGNORED, BURIED = "waiting", "done", "ignored", "buried"
SETTLED = "settled"  # it was buried, and needs no more work: `settled_by` says why

hooks = Table(
    "hooks",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("hook_id", String(200), nullable=False, unique=True),
    Column("kind", String(200), nullable=False),
    Column("organization", Integer),
    Column("subject", String(200)),
    Column("occurred_at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("status", String(8), nullable=False),
    Column("reason", Text),
    Column("finished_at", Float),
    Column("pass_id", String(40)),  # the pass that buried it
    Column("side", String(16)),  # the outside world that caused the failure
    Column("settled_at", Float),
    Column("settled_by", Text),
    Column("lane", Integer, nullable=False, default=0),  # see `lanes.Lane`
    Index("hooks_of_organization", "organization", "status", "seq"),
    Index("hooks_by_status", "status", "lane", "received_at"),
    Index("hooks_by_end", "status", "finished_at"),
    sqlite_autoincrement=True,  # the sequence number of a deleted row must not be used again
)

passes = Table(
    "passes",
    metadata,
    Column("organization", Integer, primary_key=True, autoincrement=False),
    Column("waiting", String(40)),
    Column("running", String(40)),
    Column("tries", Integer, nullable=False, default=0),
    Column("first", Integer, nullable=False, default=0),
    # The last failed try, until one succeeds.
    Column("reason", Text),
    Column("side", String(16)),
    Column("tried_at", Float),
    # The place of the pass that waits: see `lanes`.
    Column("lane", Integer, nullable=False, default=0),
    Column("position", Integer, nullable=False, default=0),
    Column("due_at", Float, nullable=False, default=0.0),
    # All that a look for the next pass needs, so that it reads no row of those that are not due.
    partial_index(
        *("passes_waiting", "lane", "position", "due_at", "waiting"), only="waiting IS NOT NULL"
    ),
    partial_index("passes_running", "organization", only="running IS NOT NULL"),
    partial_index("passes_failing", "side", only="reason IS NOT NULL"),
)
