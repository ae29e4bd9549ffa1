"""The rows of trouble: the cost of a slow, hanging or broken outside world for all other agents."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from threading import Event

from bench.figures import Samples
from bench.stage import HEALTHY, Panel, Stage, Visit, drawn, open_panel, seal_of, section_request
from bench.wire import at_once, request
from bench.writing import hook_request
from panel.demo.world import Call
from panel.web.sections import SECTIONS

AGENTS = 80
SLOW_SECONDS = 7.0
QUIET_SECONDS, BESIDE_SECONDS = 4.0, 12.0
CROWD_START_SECONDS = 3.0  # the start of a new process
AGAIN_SECONDS = 4.0  # the time after which a waiting section, and a busy panel, ask again
HEALTHZ = request("GET", "/healthz", "")
Break = Callable[[Stage, Event, Sequence[Visit]], None]


def _slow_office(stage: Stage, _over: Event, _cold: Sequence[Visit]) -> None:
    stage.office.delay = SLOW_SECONDS


def _hanging_office(stage: Stage, _over: Event, cold: Sequence[Visit]) -> None:
    for visit in cold:
        stage.office.fault("hang", visit.organization)


def _slow_chatwoot(stage: Stage, over: Event, _cold: Sequence[Visit]) -> None:
    def wait(_call: Call) -> None:
        over.wait(SLOW_SECONDS)

    stage.chat.failures = wait


BREAKS: dict[str, Break] = {
    "the back office takes 7 s": _slow_office,
    "the back office hangs": _hanging_office,
    "Chatwoot takes 7 s": _slow_chatwoot,
}


def behind_others(stage: Stage, shape: str) -> list[Samples]:
    """`AGENTS` agents open as many cold customers at once; meanwhile others go on.

    Lines: the worst /healthz, the worst hook, the median warm open against a quiet one.
    """
    worst: dict[str, list[float]] = {"health": [], "hook": [], "open": []}
    notes = []
    for name, spoil in BREAKS.items():
        health, hook, ratio = _measure_beside(stage, shape, spoil)
        worst["health"].append(health)
        worst["hook"].append(hook)
        worst["open"].append(ratio)
        notes.append(f"{name}: {health:.2f} s, {hook:.2f} s, {ratio:.2f}")
    note = "; ".join(notes)
    return [Samples(values, note) for values in worst.values()]


def _measure_beside(stage: Stage, shape: str, spoil: Break) -> tuple[float, float, float]:
    cold = stage.newcomers(AGENTS)
    with stage.panel(stage.environ(shape)) as panel:
        panel.warmed(HEALTHY, is_picked=True)
        warm = HEALTHY.before(stage.chat).request
        quiet = _ask_in_turn(panel, warm, QUIET_SECONDS, lambda: True)
        with _broken(stage, spoil, cold), _opening(panel, cold) as opening:
            time.sleep(CROWD_START_SECONDS)
            times = _ask_in_turn(panel, warm, BESIDE_SECONDS, opening)
    ratio = statistics.median(times["open"]) / statistics.median(quiet["open"])
    return max(times["health"]), max(times["hook"]), ratio


@contextmanager
def _broken(stage: Stage, spoil: Break, cold: Sequence[Visit]) -> Iterator[None]:
    over, sound = Event(), stage.chat.failures
    spoil(stage, over, cold)
    try:
        yield
    finally:
        over.set()
        stage.office.delay = 0.0
        stage.office.heal()
        stage.chat.failures = sound


@contextmanager
def _opening(panel: Panel, cold: Sequence[Visit]) -> Iterator[Callable[[], bool]]:
    """Run browsers that open these panels and ask again as their sections tell them.

    The browsers have a process of their own: in this process, their threads would delay the
    measuring client.
    """
    crowd = get_context("spawn").Process(target=_open_all, args=(panel.port, cold), daemon=True)
    crowd.start()
    try:
        yield crowd.is_alive
    finally:
        crowd.kill()
        crowd.join()


def _open_all(port: int, cold: Sequence[Visit]) -> None:
    with ThreadPoolExecutor(len(cold)) as pool:
        for visit in cold:
            pool.submit(_open_like_a_browser, port, visit)


def _open_like_a_browser(port: int, visit: Visit) -> None:
    html = ""
    while "data-seal" not in html:
        (answer,) = at_once(port, [visit.request])
        html = answer.text
        time.sleep(0 if "data-seal" in html else AGAIN_SECONDS)
    while loading := [name for name, (state, _) in drawn(html).items() if state == "loading"]:
        answers = at_once(port, [section_request(name, seal_of(html)) for name in loading])
        for name, answer in zip(loading, answers, strict=True):
            if drawn(answer.text).get(name, ("failed", ""))[0] != "loading":
                html = html.replace(f'data-section="{name}"', f'data-answered="{name}"')
        time.sleep(AGAIN_SECONDS)


def _ask_in_turn(
    panel: Panel, warm: bytes, seconds: float, going_on: Callable[[], bool]
) -> dict[str, list[float]]:
    """Request in turn /healthz, a hook that touches the customer, and their panel, for so long or
    while the crowd opens."""
    times: dict[str, list[float]] = {"health": [], "hook": [], "open": []}
    end = time.monotonic() + seconds
    while time.monotonic() < end and (going_on() or not times["open"]):
        times["health"].append(panel.timed(HEALTHZ))
        times["hook"].append(panel.timed(hook_request(HEALTHY.organization)))
        times["open"].append(panel.timed(warm))
        time.sleep(0.1)
    return times


def beside_a_broken_customer(stage: Stage, shape: str) -> list[Samples]:
    """Watch three panels of a customer whose every answer is a 500, and open a healthy one every
    five seconds."""
    [broken], healthy = stage.newcomers(1), stage.newcomers(stage.times(4, 12))
    stage.office.fault("500", broken.organization)
    over = Event()
    try:
        with stage.panel(stage.environ(shape)) as panel, ThreadPoolExecutor(3) as pool:
            watching = [pool.submit(_watch, panel.port, broken, over) for _ in range(3)]
            readings = []
            for visit in healthy:
                over.wait(stage.times(2, 5))
                states = {state for state, _ in open_panel(panel.port, visit).sections.values()}
                readings.append(float(states == {"fresh"}))
            over.set()
            for reader in watching:
                reader.result()
    finally:
        over.set()
        stage.office.heal(broken.organization)
    return [
        Samples(readings, f"{sum(readings):.0f} of {len(readings)} healthy customers could be read")
    ]


def _watch(port: int, visit: Visit, over: Event) -> None:
    """Run an open panel that requests its sections whenever a pause is over."""
    seal = open_panel(port, visit).seal
    while not over.wait(1):
        at_once(port, [section_request(name, seal, wait=True) for name in SECTIONS])
