"""A database with many organizations and hooks, as passes would have left it, written in bulk."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Table

from panel.data.directory_tables import COMPANY, organizations, people
from panel.data.inbox_tables import DONE, hooks, passes
from panel.data.links import BY_PASS, CONTACT, MATCHED, links
from panel.data.readings import readings
from panel.data.search_index import make_terms, terms
from panel.data.sightings import sightings

HOOKS_EACH = 10
HOOK_DAYS = 30.0  # the span in which the hooks came
PEOPLE_EACH = 3  # the company's own contact included
AT_ONCE = 500  # organizations in one statement
WORDS = ("Padaria", "Oficina", "Escola", "Mercado", "Clinica", "Editora", "Hotel", "Livraria")

Rows = dict[Table, list[dict[str, Any]]]


def fill_database(database: Engine, count: int) -> None:
    """Write organizations 1 to `count`, each with people, links, words, and answered hooks."""
    with database.begin() as connection:
        for first in range(1, count + 1, AT_ONCE):
            rows: Rows = {}
            for number in range(first, min(first + AT_ONCE, count + 1)):
                for table, row in _make_rows(number):
                    rows.setdefault(table, []).append(row)
            for table, some in rows.items():
                connection.execute(table.insert(), some)
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _analyze(connection)


def _analyze(connection: Connection) -> None:
    """Update the planner's statistics, as PostgreSQL does by itself within minutes."""
    connection.exec_driver_sql("ANALYZE")


def name_company(number: int) -> str:
    """Return such as `Padaria Cliente 17 Ltda`."""
    return f"{WORDS[number % len(WORDS)]} Cliente {number} Ltda"


def _make_rows(number: int) -> Iterator[tuple[Table, dict[str, Any]]]:
    host, now = f"empresa{number}.example", time.time()
    email, name = f"contato@{host}", name_company(number)
    yield (
        organizations,
        {
            "id": number,
            "name": name,
            "billing_entity": "middag_br",
            "plan": "Pro",
            "tax_id": f"{number:014d}",
            "email": email,
            "phone": None,
            "city": "Recife",
            "entitlement_status": "active",
            "active_entitlements": 1,
            "phone_shared": False,
            "next_expiry": date.today() + timedelta(days=40),  # noqa: DTZ011 (some day)
        },
    )
    emails = [email, *(f"pessoa{at}@{host}" for at in range(1, PEOPLE_EACH))]
    for at, address in enumerate(emails):
        yield from _make_seat(number, at, address, now)
    words_of_company = make_terms(number, [name], f"{number:014d}", emails, [], [f"PLG-{number}"])
    for word, kind in words_of_company.items():
        yield terms, {"word": word, "organization": number, "kind": kind}
    for at in range(HOOKS_EACH):
        yield hooks, _make_hook(number, at, now)
    yield passes, {"organization": number, "position": number}
    yield readings, {"organization": number, "digest": "0" * 32, "read_at": now - number}


def _make_hook(number: int, at: int, now: float) -> dict[str, Any]:
    received_at = now - (at + number % 100 / 100) * HOOK_DAYS / HOOKS_EACH * 86400
    return {
        "hook_id": f"filled-{number}-{at}",
        "kind": "order.paid",
        "organization": number,
        "occurred_at": received_at,
        "received_at": received_at,
        "status": DONE,
        "finished_at": received_at + 1,
        "lane": 0,
    }


def _make_seat(
    number: int, at: int, email: str, now: float
) -> Iterator[tuple[Table, dict[str, Any]]]:
    contact = number * PEOPLE_EACH + at
    key, role = (f"collaborator:{contact}", "member") if at else (COMPANY, COMPANY)
    seat = {"organization": number, "key": key, "contact": contact, "role": role, "email": email}
    yield people, {**seat, "phone_shared": False}
    tie = {"scope": CONTACT, "subject": contact, "organization": number, "said_by": BY_PASS}
    yield links, {**tie, "state": MATCHED, "rests_on": "email", "at": now, "contact": contact}
    yield sightings, {"contact": contact, "told": "0" * 32, "shown": "0" * 32, "seen_at": now}
