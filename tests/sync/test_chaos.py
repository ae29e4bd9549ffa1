"""Hooks pour in, processes are killed, both worlds fail at times: nothing is lost or made twice."""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from panel import services
from panel.data import db, inbox
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.settings import from_env
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from tests import postgres
from tests.conftest import environment
from tests.sync.engine import make_engine
from tests.sync.stumbling import (
    SENDERS,
    SIZE,
    House,
    Story,
    fresh_chatwoot,
    house,
    on_sockets,
    story,
)
from tests.sync.until import until


def rage(tale: Story, panel: House) -> None:
    """Send all hooks, and kill a process in the midst of each wave but the last."""
    with ThreadPoolExecutor(SENDERS) as senders:

        def send(hook: Json) -> None:
            until(lambda: tale.ring(panel.url, hook), 120)

        posts = []
        for number, wave in enumerate(tale.waves()):
            posts += [senders.submit(send, hook) for hook in wave]
            if number < SIZE.kills:
                some_calls_later(tale)
                names = panel.names if number % 3 == 0 else [tale.dice.choice(panel.names)]
                panel.kill(names)
                panel.killed.update(names)
                for name in names:
                    panel.start(name)
        for post in posts:
            post.result()


def some_calls_later(tale: Story) -> None:
    """Wait for a random moment in the midst of the passes: after so many calls to Chatwoot."""
    with tale.chat.lock:
        target = len(tale.chat.calls) + tale.dice.randrange(3, 60)
    until(lambda: len(tale.chat.calls) >= target, 60)


def outcomes(url: str) -> dict[str, tuple[str, str | None]]:
    """Return every kept hook by its id: its status and the reason."""
    database = db.connect(url)
    try:
        with database.connect() as connection:
            rows = connection.execute(select(inbox.hooks)).all()
    finally:
        database.dispose()
    return {row.hook_id: (row.status, row.reason) for row in rows}


def settled(url: str) -> float:
    """Return the seconds until no hook waits any more."""
    database, started_at = db.connect(url), time.monotonic()
    intake = Intake(database)
    until(lambda: intake.stats().oldest_waiting is None, SIZE.settle)
    database.dispose()
    return time.monotonic() - started_at


def clean_run(tale: Story, folder: Path) -> Chatwoot:
    """Return a Chatwoot as at the beginning, after an undisturbed pass of each organization."""
    chat = fresh_chatwoot()
    chat.contacts, chat.conversations = deepcopy(tale.seeded)
    with on_sockets(tale.office, chat) as (office_at, chat_at):
        settings = from_env(calm(environment(office_at.url, chat_at.url, folder)))
        shared = services.build(settings, Flask("clean"))
        engine = make_engine(settings, shared.database)
        engine.migrate()
        for company in tale.companies:
            Jobs(shared, engine.intake).bring_in_line(company.number)
        shared.database.dispose()
    return chat


def calm(environ: dict[str, str], **more: str) -> dict[str, str]:
    return environ | {"CHATWOOT_CALLS_PER_MINUTE": "100000"} | more


def looks(chat: Chatwoot, seeded: Collection[int]) -> tuple[list[Any], dict[int, Any]]:
    """Return contacts and conversations, without the numbers and times of new ones.

    Names are left out: a contact keeps its first name, since an agent may have changed it. A
    contact that a pass made for a person who has left since has no attributes of ours. If it has
    some, it is an orphan, and stands in this list.
    """
    keys = ("email", "phone_number", "identifier", "custom_attributes")
    rows = [
        row for number, row in chat.contacts.items() if number in seeded or row["custom_attributes"]
    ]
    people = [{key: row[key] for key in keys} for row in rows]
    talks = {number: row["custom_attributes"] for number, row in chat.conversations.items()}
    return sorted(people, key=lambda row: (row["email"], str(row["identifier"]))), talks


@dataclass
class Scene:
    story: Story
    house: House
    url: str
    folder: Path


@pytest.fixture(params=["separate on sqlite", "inside on sqlite", "separate on postgresql"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    worker, _, database = request.param.partition(" on ")
    tale = story(seed=20261122)
    url = f"sqlite:///{tmp_path / 'panel.db'}"
    if database == "postgresql":
        from_cluster: str = request.getfixturevalue("cluster")
        url = postgres.create(from_cluster, f"chaos_{worker}", "template")
    with ExitStack() as stack:
        office, chat = stack.enter_context(on_sockets(tale.office, tale.chat))
        environ = environment(office.url, chat.url, tmp_path)
        changes = {"PANEL_DATABASE_URL": url, "PANEL_WORKER": worker, "HOME": str(tmp_path)}
        first_house = stack.enter_context(house(calm(environ, **changes)))
        until(lambda: requests.get(f"{first_house.url}/healthz", timeout=60).ok, 60)
        yield Scene(tale, first_house, url, tmp_path)


def test_killed_and_stumbling_it_ends_as_a_clean_run_does(scene: Scene) -> None:
    tale, started_at = scene.story, time.monotonic()
    tale.chat.delay = 0.005
    tale.chat.flaky(0.05, seed=7, lost=0.3)
    tale.office.stumble(0.05, seed=8)
    rage(tale, scene.house)
    duration = time.monotonic() - started_at
    wait_seconds = settled(scene.url)
    print(f"\nchaos: {tale.figures()}, {dict(scene.house.killed)} killed")  # noqa: T201
    print(f"sent within {duration:.1f} s, quiet {wait_seconds:.1f} s later")  # noqa: T201
    tale.chat.flaky(0.0)
    tale.office.stumble(0.0, seed=8)
    everyone_was_answered(tale, outcomes(scene.url))
    seeded = tale.seeded[0].keys()
    people, talks = looks(tale.chat, seeded)
    right, right_talks = looks(clean_run(tale, scene.folder / "clean"), seeded)
    assert people == right
    assert talks == right_talks
    rest = len(tale.chat.contacts) - len(people)
    print(f"{rest} contacts of people who left say nothing of us")  # noqa: T201


def everyone_was_answered(tale: Story, results: dict[str, tuple[str, str | None]]) -> None:
    """Check that every hook was kept once, and is done, of an unknown kind, or buried with its
    reason."""
    assert set(results) == {f"h{number}" for number in range(SIZE.hooks)}
    accepted = Counter(name for name, answer in tale.answers if answer == "accepted")
    assert max(accepted.values()) == 1
    statuses = Counter(results.values())
    nameless = sum(number % 50 == 8 for number in range(SIZE.hooks))
    foreign = sum(number % 50 == 7 for number in range(SIZE.hooks))
    assert statuses.pop(("buried", "no_organization")) == nameless
    assert statuses.pop(("ignored", None)) == foreign
    assert statuses == {("done", None): SIZE.hooks - nameless - foreign}
