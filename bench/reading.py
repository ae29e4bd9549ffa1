"""The rows of the reading wing: the time of a panel, and its cost."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from threading import Thread

from bench.figures import Samples, alternate, ratios
from bench.machine import Served
from bench.stage import (
    HEALTHY,
    Panel,
    Stage,
    Visit,
    open_all,
    open_panel,
    section_request,
)
from bench.wire import at_once, load, request
from panel.demo.worlds import ADMIN_TOKEN
from panel.web.sections import SECTIONS

CONNECTIONS = 8
AGENTS = 200
SETTLE_SECONDS = 0.1


def rate(
    served: Served, requests: Sequence[bytes], seconds: float, *statuses: int
) -> tuple[float, float]:
    """Return the requests per second, and the milliseconds of the server's CPU for each."""
    before = served.cpu
    outcome = load(served.port, requests, CONNECTIONS, seconds).only(*statuses)
    return outcome.rate, 1000 * (served.cpu - before) / len(outcome.times)


def warm_section(stage: Stage, shape: str) -> list[Samples]:
    """Request all four sections in turn, fresh and unmasked, compressed as a browser accepts
    them."""
    panel = stage.standing(shape)
    seal = panel.warmed(HEALTHY, is_picked=True)
    requests = {f"/sections/{name}": section_request(name, seal) for name in SECTIONS}
    return [_against_bare(stage, panel, seal, requests, 200)]


def changes(stage: Stage, shape: str) -> list[Samples]:
    """Request changes for a panel that shows the kept copies; nothing has changed."""
    panel = stage.standing(shape)
    seal = panel.warmed(HEALTHY, is_picked=True)
    versions = seen_of(open_panel(panel.port, HEALTHY).sections)
    calls = request("GET", f"/changes?seen={versions}&idle=0", seal)
    if "hx-trigger" in panel.ask(calls).headers:
        raise RuntimeError("something has changed")
    return [_against_bare(stage, panel, seal, {"/changes": calls}, 204)]


def seen_of(sections: dict[str, tuple[str, str]]) -> str:
    return ",".join(f"{name}:{version}" for name, (_, version) in sections.items())


def _against_bare(
    stage: Stage, panel: Panel, seal: str, requests: dict[str, bytes], status: int
) -> Samples:
    answers = {path: panel.ask(request_bytes) for path, request_bytes in requests.items()}
    seconds, requests_list = 0.5 if stage.quick else 2.0, list(requests.values())
    panel_times: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []

    def ours() -> float:
        panel.freshen(seal)
        panel_times.append(rate(panel.served, requests_list, seconds, status))
        return panel_times[-1][0]

    with stage.rival(answers) as rival:

        def theirs() -> float:
            bare.append(rate(rival, requests_list, seconds, status))
            return bare[-1][0]

        alternate(ours, theirs, 1)  # this warms threads, pools and caches of both
        panel_times.clear()
        bare.clear()
        pairs = alternate(ours, theirs, stage.times(3, 9))
    # Other load of the machine shows in the wall clock, and hardly in CPU time.
    costs = statistics.median(b[1] / a[1] for a, b in zip(panel_times, bare, strict=True))
    note = f"{_speed(panel_times)}; bare {_speed(bare)}; by CPU {costs:.2f}"
    size = sum(len(answer.body) for answer in answers.values()) // len(answers)
    return Samples(ratios(pairs), f"{note}; {size} bytes, {CONNECTIONS} connections")


def _speed(slices: Sequence[tuple[float, float]]) -> str:
    best = max(slices)
    return f"{best[0]:.0f}/s with {best[1]:.2f} ms of CPU each"


def warm_open(stage: Stage, shape: str) -> list[Samples]:
    """Open a conversation that was opened in the last 40 s, and one for which Chatwoot is asked."""
    panel = stage.standing(shape)
    seal = panel.warmed(HEALTHY, is_picked=True)
    sections = [section_request(name, seal) for name in SECTIONS]
    visit = HEALTHY.before(stage.chat)
    recent, checked = (
        _against_sections(stage, panel, request_bytes, sections)
        for request_bytes in (visit.request, HEALTHY.request)
    )
    note = (
        f"{checked.note}; the built-in Chatwoot takes {_chatwoot_milliseconds(stage):.1f} ms of it"
    )
    return [recent, replace(checked, note=note)]


def _against_sections(
    stage: Stage, panel: Panel, request_bytes: bytes, sections: list[bytes]
) -> Samples:
    panel.timed(request_bytes, *sections)
    pairs = alternate(
        lambda: panel.timed(request_bytes), lambda: panel.timed(*sections), stage.times(20, 100)
    )
    ours, theirs = (1000 * statistics.median(values) for values in zip(*pairs, strict=True))
    return Samples(ratios(pairs), f"{ours:.1f} ms; four sections {theirs:.1f} ms")


def _chatwoot_milliseconds(stage: Stage) -> float:
    """Measure a call to the built-in Chatwoot for the conversation, without a panel."""
    port = int(stage.chat_url.rpartition(":")[2])
    path = f"/api/v1/accounts/1/conversations/{HEALTHY.conversation}"
    request_bytes = request("GET", path, Api_Access_Token=ADMIN_TOKEN)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        at_once(port, [request_bytes])
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)


def cold_open(stage: Stage, shape: str) -> list[Samples]:
    """Open organizations that nobody has opened; the seconds are ratios to the delay of a call."""
    panel = stage.standing(shape)
    panel.warmed(HEALTHY)
    values = []
    stage.office.delay = 1.0
    try:
        for visit in stage.newcomers(stage.times(3, 9)):
            opening = open_panel(panel.port, visit)
            _expect(opening.sections, "fresh")
            values.append(opening.seconds / stage.office.delay)
    finally:
        stage.office.delay = 0.0
    return [Samples(values, "POST /contact and its four sections, each over a new connection")]


def _expect(sections: dict[str, tuple[str, str]], section: str) -> None:
    states = {name: state for name, (state, _) in sections.items()}
    if states != dict.fromkeys(SECTIONS, section):
        raise RuntimeError(f"not {section}: {states}")


def herd(stage: Stage, shape: str) -> list[Samples]:
    """Open one conversation for many agents at the same moment.

    Sections may be marked as not confirmed, because the built-in Chatwoot shares this process with
    all these browsers. They were read all the same.
    """
    calls, slowest, unconfirmed = [], 0.0, 0
    with stage.panel(stage.environ(shape), workers=2) as panel:
        stage.office.delay = 0.3
        try:
            for visit in stage.newcomers(stage.times(1, 5)):
                stage.office.forget()
                openings = open_all(panel.port, [visit] * AGENTS)
                unconfirmed += sum(_count_unconfirmed(view.sections) for view in openings)
                slowest = max(slowest, *(view.seconds for view in openings))
                calls.append(float(stage.office.count()))
        finally:
            stage.office.delay = 0.0
    note = f"the last of {AGENTS} had everything after {slowest:.1f} s (delay 0.3 s)"
    sections = len(SECTIONS) * AGENTS * len(calls)
    return [Samples(calls, f"{note}; {unconfirmed} of {sections} sections not confirmed in time")]


def _count_unconfirmed(sections: dict[str, tuple[str, str]]) -> int:
    """Return how many are marked as late; raises unless all the others are fresh."""
    late = [name for name, (state, _) in sections.items() if state == "late"]
    _expect(sections | dict.fromkeys(late, ("fresh", "")), "fresh")
    return len(late)


def hanging(stage: Stage, shape: str) -> list[Samples]:
    """Open panels whose copies have outlived their time, while the back office hangs.

    As in a browser, each opening then requests its late sections once more, and these requests
    hang.
    """
    warm = stage.standing(shape)
    visits, calm = (stage.newcomers(stage.times(4, 12)) for _ in range(2))
    with stage.panel(stage.environ(shape), "bench.variants:aged()") as aged:
        for panel, some in ((aged, visits), (warm, calm)):
            for visit in some:
                _expect(open_panel(panel.port, visit).sections, "fresh")
        for visit in visits:
            stage.office.fault("hang", visit.organization)
        try:
            pairs = _hanging_pairs(warm.port, aged.port, visits, calm)
        finally:
            for visit in visits:
                stage.office.heal(visit.organization)
    worst = max(ours for ours, _ in pairs) * 1000
    return [Samples(ratios(pairs), f"{worst:.0f} ms at most; all four sections drawn, as late")]


def _hanging_pairs(
    warm: int, aged: int, visits: Sequence[Visit], calm: Sequence[Visit]
) -> list[tuple[float, float]]:
    """Measure the second opening of a conversation at two ports, `warm` and `aged`."""
    turns, calm_turns, following = iter(visits), iter(calm), list[Thread]()

    def useful() -> float:
        view = open_panel(aged, next(turns))
        _expect(view.sections, "late")
        thread = Thread(target=_follow, args=(aged, view.seal))
        thread.start()
        # The requests must hang by now, because sending them is work of this process too.
        thread.join(SETTLE_SECONDS)
        following.append(thread)
        return view.seconds

    pairs = alternate(useful, lambda: open_panel(warm, next(calm_turns)).seconds, len(visits))
    for thread in following:
        thread.join()
    return pairs


def _follow(port: int, seal: str) -> None:
    at_once(port, [section_request(name, seal, wait=True) for name in SECTIONS])


def uncached(stage: Stage, shape: str) -> list[Samples]:
    """Open panel after panel as a single agent; the back office takes 300 ms for each answer."""
    warm = stage.standing(shape)
    warm.warmed(HEALTHY)
    stage.office.delay = 0.3
    try:
        with stage.panel(stage.environ(shape), "bench.variants:uncached()") as never:
            pairs = alternate(
                lambda: _opens_per_second(warm.port, 20),
                lambda: _opens_per_second(never.port, 2),
                stage.times(2, 5),
            )
    finally:
        stage.office.delay = 0.0
    ours, theirs = (max(values) for values in zip(*pairs, strict=True))
    return [Samples(ratios(pairs), f"{ours:.0f} opens/s, uncached {theirs:.1f}")]


def _opens_per_second(port: int, number: int) -> float:
    begun = time.perf_counter()
    for _ in range(number):
        _expect(open_panel(port, HEALTHY).sections, "fresh")
    return number / (time.perf_counter() - begun)
