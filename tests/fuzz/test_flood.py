"""Thousands of hooks reach a real gunicorn: it keeps all genuine ones, and no others.

Genuine hooks, repetitions, forgeries and garbage come in turns, a share each.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from bench.wire import load, request
from panel.data import db, inbox
from panel.demo.worlds import SECRET
from panel.sync.events import KINDS
from panel.sync.openapi import EXAMPLE_HOOK
from panel.sync.wire import MOST_BYTES
from tests.broken.site import Site, site
from tests.fuzz.amount import HOOKS, SEED
from tests.sync.signed_hooks import signed

CONNECTIONS, ROUNDS = 16, 10
EVENTS = [name for name in KINDS if not name.endswith("*")]
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


def write(number: int, **fields: object) -> bytes:
    hook = {**EXAMPLE_HOOK, "id": f"g{number}", "event": EVENTS[number % len(EVENTS)], **fields}
    return json.dumps({**hook, "data": {"organization_id": 1 + number % 1000}}).encode()


def post(body: bytes, secret: str = SECRET, **headers: str) -> bytes:
    fields = {"Content_Type": "application/json", **headers}
    return request("POST", "/sync/hooks", secret, None, body, **fields)


def sign(number: int, secret: str) -> bytes:
    body = write(number)
    proof = signed(body, secret, name=f"g{number}")
    return post(body, "", **{name.replace("-", "_"): proof[name] for name in SIGNED})


def spoil(number: int, dice: random.Random) -> bytes:
    """A body of the right sender with some of its bytes replaced: it cannot be read."""
    body = bytearray(write(number, id=f"f{number}"))
    for place in dice.sample(range(len(body)), 3):
        body[place] = dice.choice(b"\x00\xff\x80")
    return post(bytes(body))


@dataclass(frozen=True)
class Share:
    """`size`: out of a hundred hooks; `statuses`: the allowed ones of an answer."""

    name: str
    size: int
    make: Callable[[int, random.Random], bytes]
    statuses: tuple[int, ...]


REFUSED = (401, 429)
SHARES = (
    Share("genuine, by the secret", 40, lambda n, _: post(write(n)), (202,)),
    Share("genuine, signed", 10, lambda n, _: sign(n, SECRET), (202,)),
    Share("repeated", 10, lambda n, _: post(write(n % 40)), (200, 202)),
    Share("forged secret", 10, lambda n, _: post(write(n, id=f"f{n}"), f"{SECRET}{n}"), REFUSED),
    Share("no secret", 5, lambda n, _: post(write(n, id=f"f{n}"), ""), REFUSED),
    Share("forged signature", 10, lambda n, _: sign(n, f"{SECRET}x"), REFUSED),
    Share("unreadable", 10, spoil, (422,)),
    Share("no moment", 2, lambda n, _: post(write(n, id=f"f{n}", timestamp="soon")), (422,)),
    Share("no JSON", 2, lambda n, _: post(write(n), Content_Type="text/plain"), (415,)),
    Share("too large", 1, lambda n, _: post(write(n, padding="x" * MOST_BYTES)), (413,)),
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, PANEL_WORKER="separate") as panel:
        panel.start_web()
        panel.await_web()
        yield panel


def test_of_a_flood_the_genuine_hooks_are_kept_and_nothing_else(running: Site) -> None:
    dice, start, genuine = random.Random(SEED), time.monotonic(), set()
    port = urlsplit(running.url).port or 0
    for turn in range(ROUNDS):
        first = turn * (HOOKS // ROUNDS)
        for share in SHARES:
            count = HOOKS // ROUNDS * share.size // 100
            numbers = range(first, first + count)
            requests = (share.make(number, dice) for number in numbers)
            load(port, requests, CONNECTIONS).only(*share.statuses)
            if share.name.startswith("genuine"):
                genuine |= {f"g{number}" for number in numbers}
            first += count
    seconds = time.monotonic() - start
    print(f"seed {SEED}, {HOOKS} hooks in {seconds:.0f} s, {len(genuine)} genuine")  # noqa: T201
    assert read_ids(running) >= genuine
    assert {name for name in read_ids(running) - genuine if not is_repeated(name)} == set()
    assert [line for line in running.lines if '"trace"' in line or "Traceback" in line] == []


def is_repeated(name: str) -> bool:
    return name in {f"g{number}" for number in range(40)}


def read_ids(running: Site) -> set[str]:
    database = db.connect(running.environ["PANEL_DATABASE_URL"])
    with database.connect() as connection:
        ids = set(connection.scalars(select(inbox.hooks.c.hook_id)))
    database.dispose()
    return ids
