"""All parts are killed, cut off or slow, in turn: nothing is lost, doubled or shown falsely.

In the short form every trouble happens once; `PANEL_STORM=180` (`make chaos`) goes on for so many
seconds. Meanwhile hooks come, and a browser notes every state that two panels show.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from playwright.sync_api import Browser

from panel.data import db
from panel.sync.intake import Intake
from tests.chaos.scene import SEED, Scene, Truth, open_scene
from tests.chaos.troubles import TROUBLES
from tests.chaos.watcher import Watcher, find_inventions, find_lies, find_losses, is_true, watching
from tests.conftest import cluster_with_tables
from tests.sync.stumbling import story
from tests.sync.test_chaos import clean_run, looks, outcomes
from tests.sync.until import until

STORM = float(os.environ.get("PANEL_STORM", "0"))  # seconds; each trouble once at least
SHORTEST_TROUBLE, LONGEST_TROUBLE = 2.5, 6.0 if STORM else 3.0  # seconds
SENDERS, APART = 4, 1_000_000  # each sender has numbers of its own
QUIET = 600.0  # seconds
REOPENED_AFTER = 1.5  # seconds, so each panel is opened anew in each trouble


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with cluster_with_tables() as cluster, open_scene(tmp_path, cluster) as opened_scene:
        until(lambda: requests.get(f"{opened_scene.house.url}/healthz", timeout=60).ok, 60)
        yield opened_scene


def storm(scene: Scene, counts: Counter[str]) -> None:
    """Let every trouble happen once, in another order each time."""
    dice, ends = random.Random(SEED), time.monotonic() + STORM
    while not counts or time.monotonic() < ends:
        for trouble in dice.sample(TROUBLES, len(TROUBLES)):
            with trouble.make(scene):
                ring_of_orders(scene)  # so that the panels read the orders anew meanwhile
                scene.stopped.wait(dice.uniform(SHORTEST_TROUBLE, LONGEST_TROUBLE))
            counts[trouble.name] += 1
            scene.truth.change()
            ring_of_orders(scene)
            if time.monotonic() > ends and len(counts) == len(TROUBLES):
                break


def ring_of_orders(scene: Scene) -> None:
    """Send the hook of the order, which is not among the counted hooks."""
    hook = {
        "id": f"order-{uuid4()}",
        "event": "order.created",
        "timestamp": "2026-05-04T14:30:00Z",
        "data": {"organization_id": scene.truth.company},
    }
    scene.story.ring(scene.house.url, hook)


def wait_for_storm(scene: Scene, watchers: list[Watcher], counts: Counter[str]) -> None:
    """Wait in this thread, which the browser needs. Agents open their panels again and again."""
    with ThreadPoolExecutor(SENDERS + 1) as pool:
        weather = pool.submit(storm, scene, counts)
        senders = [pool.submit(scene.ring_on, place * APART) for place in range(SENDERS)]
        while not weather.done():
            for watcher in watchers:
                watcher.page.wait_for_timeout(300)
                if time.monotonic() > watcher.loaded_at + REOPENED_AFTER:
                    watcher.load()
        scene.stopped.set()
        if weather.exception():
            scene.given_up.set()
        for future in (weather, *senders):
            future.result()


def await_quiet(scene: Scene) -> float:
    database, start = db.connect(scene.site.environ["PANEL_DATABASE_URL"]), time.monotonic()
    intake = Intake(database)
    until(lambda: intake.stats().oldest_waiting is None, QUIET)
    database.dispose()
    return time.monotonic() - start


def test_a_storm_loses_doubles_and_invents_nothing(scene: Scene, browser: Browser) -> None:
    counts: Counter[str] = Counter()
    with watching(browser, scene, *scene.story.companies[:2]) as watchers:
        await_ready(scene, watchers)
        wait_for_storm(scene, watchers, counts)
        quiet = await_quiet(scene)
        tell(scene, watchers, counts, quiet)
        check_hooks(scene)
        check_chatwoot(scene)
        check_panels(scene, *watchers)


def await_ready(scene: Scene, watchers: list[Watcher]) -> None:
    """Both companies have had a pass before the storm begins, so each panel knows its company."""
    for company, watcher in zip(scene.story.companies, watchers, strict=False):
        data = {"organization_id": company.number}
        hook = {"event": "entitlement.renewed", "timestamp": "2026-05-04T14:30:00Z", "data": data}
        ring = partial(
            scene.story.ring, scene.house.url, {**hook, "id": f"before-{company.number}"}
        )
        until(ring, 60)
        until(watcher.is_ready, 60)


def tell(scene: Scene, watchers: list[Watcher], counts: Counter[str], quiet: float) -> None:
    states = [state for watcher in watchers for state in watcher.states]
    orders = Counter(state["state"] for state in states if state["section"] == "orders")
    openings = [state for state in states if not state["section"]]
    panels = Counter(f"{state['state']} {state['code']}" for state in openings)
    lines = (
        f"{sum(counts.values())} troubles, {dict(scene.house.killed)} killed",
        f"{len(scene.hook_ids)} hooks: {scene.story.figures()}; quiet {quiet:.0f} s later",
        f"{len(states)} states; orders: {dict(orders)}; panels: {dict(panels)}",
    )
    print("\n" + "\n".join(lines))  # noqa: T201


def check_hooks(scene: Scene) -> None:
    """A hook is kept once. It is done, or of an unknown kind, or buried without an organization."""
    results = outcomes(scene.site.environ["PANEL_DATABASE_URL"])
    assert set(scene.hook_ids) == {name for name in results if name.startswith("h")}
    accepted = Counter(name for name, answer in scene.story.answers if answer == "accepted")
    assert max(accepted.values()) == 1
    allowed = {("done", None), ("ignored", None), ("buried", "no_organization")}
    assert {name: results[name] for name in scene.hook_ids if results[name] not in allowed} == {}


def check_chatwoot(scene: Scene) -> None:
    """Chatwoot ends as after an undisturbed pass of each company."""
    seeded = scene.story.seeded[0].keys()
    people, talks = looks(scene.story.chat, seeded)
    right, right_talks = looks(clean_run(scene.story, scene.site.folder / "clean"), seeded)
    assert people == right
    assert talks == right_talks


def check_panels(scene: Scene, always: Watcher, never: Watcher) -> None:
    """The last state is true, and so were all states before it."""
    for watcher, state in ((always, "fresh"), (never, "empty")):
        until(watcher.load, 60)
        section = watcher.page.locator("[data-section=orders]")
        section.and_(watcher.page.locator(f"[data-state={state}]")).wait_for(timeout=90_000)
    assert always.find("orders")[-1]["rows"] == [scene.truth.last]
    assert find_lies(always, scene.truth) == []
    assert find_inventions(never) == []
    assert [find_losses(watcher) for watcher in (always, never)] == [[], []]


def test_a_lie_would_be_found() -> None:
    """Otherwise the storm would prove nothing."""
    truth = Truth(story(SEED))
    truth.change()
    order = {"section": "orders", "code": "", "none": False, "at": time.time(), "rows": [1001]}
    read_at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    true = {**order, "state": "fresh", "read": read_at}
    lies = (
        {**true, "none": True, "rows": []},
        {**true, "state": "empty", "none": True, "rows": []},
        {**true, "rows": []},
        {**true, "rows": [1002]},
        {**true, "at": time.time() + 100},
        {**true, "state": "failed", "none": True, "rows": []},
    )
    assert [is_true(state, truth) for state in (true, *lies)] == [True, *[False] * len(lies)]
