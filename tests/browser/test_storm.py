"""Everything is killed, cut off or slow, in turn: nothing is lost, doubled or shown falsely.

The short form lets each trouble happen once; `PANEL_STORM=180` (`make chaos`) goes on for so many
seconds. Meanwhile hooks come, and two panels in a browser note each state that they show.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser

from panel.data import db
from panel.sync.intake import Intake
from tests.chaos.scene import SEED, Scene, Truth, open_scene
from tests.chaos.troubles import TROUBLES
from tests.chaos.watcher import Watcher, find_inventions, find_lies, find_losses, is_true, watching
from tests.sync.stumbling import story
from tests.sync.test_chaos import clean_run, looks, outcomes
from tests.sync.until import until

STORM = float(os.environ.get("PANEL_STORM", "0"))  # seconds; each trouble once at least
LONGEST_TROUBLE = 6.0 if STORM else 1.0
SENDERS, APART = 4, 1_000_000  # each sender has numbers of its own
QUIET = 600.0  # seconds
RELOADS = 0.15  # as often an agent opens the panel anew, at each look


@pytest.fixture
def scene(tmp_path: Path, cluster: str) -> Iterator[Scene]:
    with open_scene(tmp_path, cluster) as made:
        until(lambda: requests.get(f"{made.house.url}/healthz", timeout=60).ok, 60)
        yield made


def storm(scene: Scene, seen: Counter[str]) -> None:
    """One trouble after the other, in another order each time."""
    dice, ends = random.Random(SEED), time.monotonic() + STORM
    while not seen or time.monotonic() < ends:
        for trouble in dice.sample(TROUBLES, len(TROUBLES)):
            with trouble.make(scene):
                scene.stopped.wait(dice.uniform(0.3, LONGEST_TROUBLE))
            seen[trouble.name] += 1
            scene.truth.change()
            ring_of_orders(scene)
            if time.monotonic() > ends and len(seen) == len(TROUBLES):
                break


def ring_of_orders(scene: Scene) -> None:
    """The plugin tells of the order; its hook is not among those that are counted."""
    hook = {
        "id": f"order-{scene.truth.last}",
        "event": "order.created",
        "timestamp": "2026-05-04T14:30:00Z",
        "data": {"organization_id": scene.truth.company},
    }
    scene.story.ring(scene.house.url, hook)


def wait_for_storm(scene: Scene, watchers: list[Watcher], seen: Counter[str]) -> None:
    """The browser lives in this thread; now and then an agent presses reload."""
    dice = random.Random(SEED)
    with ThreadPoolExecutor(SENDERS + 1) as pool:
        weather = pool.submit(storm, scene, seen)
        senders = [pool.submit(scene.ring_on, place * APART) for place in range(SENDERS)]
        while not weather.done():
            for watcher in watchers:
                watcher.page.wait_for_timeout(300)
                if dice.random() < RELOADS or not watcher.states:
                    watcher.load()
        scene.stopped.set()
        if weather.exception():
            scene.given_up.set()
        for each in (weather, *senders):
            each.result()


def await_quiet(scene: Scene) -> float:
    database, begun = db.connect(scene.site.environ["PANEL_DATABASE_URL"]), time.monotonic()
    intake = Intake(database)
    until(lambda: intake.stats().oldest_waiting is None, QUIET)
    database.dispose()
    return time.monotonic() - begun


def test_a_storm_loses_doubles_and_invents_nothing(scene: Scene, browser: Browser) -> None:
    seen: Counter[str] = Counter()
    with watching(browser, scene, *scene.story.companies[:2]) as watchers:
        await_ready(scene, watchers)
        wait_for_storm(scene, watchers, seen)
        quiet = await_quiet(scene)
        tell(scene, watchers, seen, quiet)
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


def tell(scene: Scene, watchers: list[Watcher], seen: Counter[str], quiet: float) -> None:
    states = [state for watcher in watchers for state in watcher.states]
    orders = Counter(each["state"] for each in states if each["section"] == "orders")
    panels = Counter(f"{each['state']} {each['code']}" for each in states if not each["section"])
    lines = (
        f"{sum(seen.values())} troubles, {dict(scene.house.killed)} killed",
        f"{len(scene.told)} hooks: {scene.story.figures()}; quiet {quiet:.0f} s later",
        f"{len(states)} states; orders: {dict(orders)}; panels: {dict(panels)}",
    )
    print("\n" + "\n".join(lines))  # noqa: T201


def check_hooks(scene: Scene) -> None:
    """Each is kept once, and is done, or of no kind of ours, or buried as it names nobody."""
    found = outcomes(scene.site.environ["PANEL_DATABASE_URL"])
    assert set(scene.told) == {name for name in found if name.startswith("h")}
    accepted = Counter(name for name, answer in scene.story.answers if answer == "accepted")
    assert max(accepted.values()) == 1
    allowed = {("done", None), ("ignored", None), ("buried", "no_organization")}
    assert {name: found[name] for name in scene.told if found[name] not in allowed} == {}


def check_chatwoot(scene: Scene) -> None:
    """It ends as after an undisturbed pass of each company."""
    seeded = scene.story.seeded[0].keys()
    people, talks = looks(scene.story.chat, seeded)
    right, right_talks = looks(clean_run(scene.story, scene.site.folder / "clean"), seeded)
    assert people == right
    assert talks == right_talks


def check_panels(scene: Scene, always: Watcher, never: Watcher) -> None:
    """The last state is the truth, and so was every one before."""
    for watcher, state in ((always, "fresh"), (never, "empty")):
        until(watcher.load, 60)
        section = watcher.page.locator("[data-section=orders]")
        section.and_(watcher.page.locator(f"[data-state={state}]")).wait_for(timeout=90_000)
    assert always.find("orders")[-1]["rows"] == [scene.truth.last]
    assert find_lies(always, scene.truth) == []
    assert find_inventions(never) == []
    assert [find_losses(each) for each in (always, never)] == [[], []]


def test_a_lie_would_be_found() -> None:
    """Else the storm would prove nothing."""
    truth = Truth(story(SEED))
    truth.change()
    order = {"section": "orders", "code": "", "none": False, "at": time.time(), "rows": [1001]}
    read = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    true = {**order, "state": "fresh", "read": read}
    lies = (
        {**true, "none": True, "rows": []},
        {**true, "state": "empty", "none": True, "rows": []},
        {**true, "rows": []},
        {**true, "rows": [1002]},
        {**true, "at": time.time() + 100},
        {**true, "state": "failed", "none": True, "rows": []},
    )
    assert [is_true(state, truth) for state in (true, *lies)] == [True, *[False] * len(lies)]
