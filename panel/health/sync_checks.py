"""The checks of the writing wing: the worker, waiting hooks, failing passes, buried hooks.

The facts stand in the database, so the checks of every process give the same findings.
"""

import time
from collections import Counter

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from panel.data import db
from panel.data.backlog import count_hooks, has_passes
from panel.data.inbox_tables import BURIED, WAITING
from panel.data.installation import Installation
from panel.data.lanes import Lane, find_oldest
from panel.data.leader import is_led
from panel.data.pass_states import FailingPass, list_failing
from panel.data.tasks import TaskTrouble, list_trouble
from panel.data.workers import Workers
from panel.deliveries import format_age
from panel.errors import BACK_OFFICE_SIDE, CHATWOOT_SIDE, Unreachable
from panel.health.finding import Finding
from panel.health.worker_health import HELD_BACK_WORD, judge_workers
from panel.services import Services

LONGEST_WAIT_SECONDS = 3600.0  # the longest that a hook may wait for its pass
MOST_REASONS = 3
SIDE_LABELS = {BACK_OFFICE_SIDE: "back_office", CHATWOOT_SIDE: "chatwoot"}  # the names in figures
OUR_SIDE = "panel"


def ask_worker(shared: Services) -> Finding:
    """Words: see `worker_health`."""
    rows, now = Workers(shared.database).list_rows()
    try:
        led = is_led(shared.database)
    except SQLAlchemyError as error:
        raise Unreachable("database") from error
    with db.transaction(shared.database) as connection:
        busy = has_passes(connection)
    health = judge_workers(rows, now, led, busy)
    mark = Installation(shared.database).read().mark if health.word == HELD_BACK_WORD else None
    other = f'another installation writes into the account: "{mark}"' if mark else ""
    words = [part for part in (health.detail, other, health.advice) if part]
    return Finding(health.word, ". ".join(words))


def ask_waiting_hooks(shared: Services) -> Finding:
    """Answer `late` when the oldest hook has waited for more than an hour."""
    with db.transaction(shared.database) as connection:
        oldest_at = find_oldest(connection, Lane.URGENT)
        if oldest_at is None:
            return Finding("ok")
        count = count_hooks(connection, WAITING)
    age = time.time() - oldest_at
    words = f"{count} wait, the oldest came {format_age(age)}"
    return Finding("late" if age > LONGEST_WAIT_SECONDS else "ok", words)


def ask_failing(shared: Services) -> Finding:
    """Find the commonest reason of the last failed tries, of passes and tasks that are tried
    again."""
    with db.transaction(shared.database) as connection:
        failing = _list_failing(connection)
    if not failing:
        return Finding("ok")
    reasons = Counter((row.side, row.reason) for row in failing).most_common()
    words = [
        f"{count} because of {f'{side}: ' if side else ''}{reason}"
        for (side, reason), count in reasons[:MOST_REASONS]
    ]
    last = format_age(time.time() - max(row.tried_at or 0.0 for row in failing))
    more = ", and more" if len(reasons) > MOST_REASONS else ""
    detail = f"tried again: {'; '.join(words)}{more}; last tried {last}. See `sync status`"
    return Finding("retrying", detail)


def count_retries(connection: Connection) -> dict[str, float]:
    """The number of passes and tasks that are tried again, by the side at which the last try
    failed."""
    failing = _list_failing(connection)
    sides = Counter(SIDE_LABELS.get(row.side, OUR_SIDE) for row in failing)
    return {side: float(sides[side]) for side in (*SIDE_LABELS.values(), OUR_SIDE)}


def _list_failing(connection: Connection) -> list[FailingPass | TaskTrouble]:
    return [*list_failing(connection), *list_trouble(connection)]


def ask_buried(shared: Services) -> Finding:
    """The check of hooks that were given up and are not settled."""
    with db.transaction(shared.database) as connection:
        count = count_hooks(connection, BURIED)
    return Finding("given_up", f"{count}: `sync buried` says why") if count else Finding("ok")
