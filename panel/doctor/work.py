"""The work that waits, the nights, and the connections that the database grants."""

import time
from collections.abc import Iterator

from sqlalchemy import text

from panel.data import db
from panel.data.backlog import count_waiting_passes
from panel.data.nights import Nights
from panel.deliveries import format_age
from panel.doctor.diagnosis import FAULT, SKIPPED, WARNING, Diagnosis
from panel.doctor.state import has_database
from panel.errors import Unreachable
from panel.services import Services

CALLS_OF_A_PASS = 3  # towards the back office: organization, people, entitlements
LONG_MINUTES = 60
LATE_COMPARISON_SECONDS = 26 * 3600.0
RESERVED_CONNECTIONS = 3  # PostgreSQL keeps them for its superusers
# A web process holds up to 32 connections (`db.connect`), a worker some 10.
NEEDED_CONNECTIONS = 32 + 10 + RESERVED_CONNECTIONS
# The clients of all databases; pg_stat_activity hides which of its rows are clients of others.
CLIENTS = "SELECT sum(numbackends) FROM pg_stat_database"
# PostgreSQL's words when it refuses one more client (15: 53300, too_many_connections).
NONE_LEFT = ("too many clients", "connection slots are reserved")


def examine_budget(shared: Services) -> Iterator[Diagnosis]:
    """Examine how long the waiting passes take, at the calls a minute that the settings allow."""
    if not has_database(shared):
        yield Diagnosis(SKIPPED, "there is no database that could be asked")
        return
    with db.transaction(shared.database) as connection:
        waiting = count_waiting_passes(connection)
    calls = shared.settings.middag_calls_per_minute
    minutes = waiting * CALLS_OF_A_PASS / calls
    if minutes > LONG_MINUTES:
        yield Diagnosis(
            WARNING,
            f"{waiting} passes wait, some {minutes:.0f} minutes at {calls} calls a minute",
            "nothing, after a backfill; else raise MIDDAG_CALLS_PER_MINUTE as far as the back "
            "office allows",
        )


def examine_night(shared: Services) -> Iterator[Diagnosis]:
    """Examine the last night: nights make up for hooks that never came."""
    if not has_database(shared):
        yield Diagnosis(SKIPPED, "there is no database that could be asked")
        return
    last = Nights(shared.database).read_last()
    if last is None:
        return  # the worker begins the first night
    age = time.time() - last.begun_at
    if age > LATE_COMPARISON_SECONDS:
        cause = f"the last nightly comparison began {format_age(age)}"
        yield Diagnosis(WARNING, cause, "see the check `worker`: who executes passes keeps nights")
    elif last.withheld:
        yield Diagnosis(
            WARNING,
            f"{last.withheld} organizations are gone from the back office, too many to be cleared",
            "`flask --app app sync reconcile --force`, if that is right",
        )


def examine_connections(shared: Services) -> Iterator[Diagnosis]:
    """Examine the number of PostgreSQL's connections."""
    if shared.database.dialect.name != "postgresql":
        return
    fix = "raise max_connections of PostgreSQL: 32 for each web process, 10 for each worker, 3"
    try:
        with db.transaction(shared.database) as connection:
            most = int(connection.scalar(text("SHOW max_connections")) or 0)
            used = int(connection.scalar(text(CLIENTS)) or 0)
    except Unreachable as error:
        words = str(error.__cause__)
        if any(part in words for part in NONE_LEFT):
            yield Diagnosis(FAULT, "the database has no connection left for us", fix)
        else:
            yield Diagnosis(SKIPPED, "the database does not answer")
        return
    if used >= most - RESERVED_CONNECTIONS:
        yield Diagnosis(FAULT, f"{used} of {most} connections of the database are in use", fix)
    elif most < NEEDED_CONNECTIONS:
        cause = f"max_connections of the database is {most}: one web process and a worker need"
        yield Diagnosis(WARNING, f"{cause} {NEEDED_CONNECTIONS}", fix)
