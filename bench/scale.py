"""The rows of growing cost: with open panels, with organizations, with time."""

import heapq
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Flask

from bench.figures import Samples, alternate, ratios
from bench.reading import CONNECTIONS, rate, seen_of
from bench.stage import FIRST, Panel, Stage, Visit, drawn, open_panel, section_request
from bench.wire import Answer, Connection, load, ready, request
from panel import services
from panel.auth.seal import Seal
from panel.auth.tokens import SHARED_SECRET
from panel.cache.policy import CacheControl
from panel.deadline import Deadline
from panel.demo.companies import Maker, small
from panel.demo.worlds import AGENT
from panel.settings import from_env
from panel.upstream.documents import DOCUMENTS
from panel.web.sections import SECTIONS

OPEN_PANELS = 200
WINDOW = 5.0  # seconds over which CPU time is measured
FAR = FIRST + 1_000_000  # the first of the organizations that only the cache knows


@dataclass(order=True)
class Watcher:
    """An open, visible panel of an idle agent, which behaves as panel.js does."""

    due: float
    connection: Connection = field(compare=False)
    seal: str = field(compare=False)
    sections: dict[str, tuple[str, str]] = field(compare=False)
    opened: float = field(compare=False)
    todo: deque[bytes] = field(compare=False, default_factory=deque)
    asked: int = field(compare=False, default=0)

    def ask(self, now: float) -> None:
        """Request the sections that are due, or else the changes."""
        self.asked += 1
        self.connection.send(self.todo.popleft() if self.todo else self._changes(now))

    def _changes(self, now: float) -> bytes:
        idle = int(now - self.opened)
        return request("GET", f"/changes?seen={seen_of(self.sections)}&idle={idle}", self.seal)

    def take(self, answer: Answer, now: float) -> None:
        """Take an answer: named sections are fetched at once, late ones are requested once more."""
        if answer.status == 204:
            self.due = now + float(answer.headers["x-panel-next"])
            parts = answer.headers.get("hx-trigger", "").replace("touched-", "").split(", ")
            self.todo += [section_request(name, self.seal) for name in parts if name]
            return
        html = answer.text
        self.sections |= drawn(html)
        if 'id="follow-' in html:
            (name,) = drawn(html)
            self.todo.append(section_request(name, self.seal, wait=True))


def polling(stage: Stage, shape: str) -> list[Samples]:
    """Measure two hundred agents with a conversation each, while passes run in the same process."""
    seconds = 15.0 if stage.quick else 60.0
    with stage.panel(stage.environ(shape, PANEL_WORKER="inside")) as panel:
        watchers = _watchers(panel, stage.newcomers(OPEN_PANELS))
        shares = list(_watched(panel, watchers, seconds))
        for watcher in watchers:
            watcher.connection.close()
    total = sum(watcher.asked for watcher in watchers) / seconds
    note = f"percent of a core, in windows of {WINDOW:.0f} s; {total:.0f} requests/s"
    return [Samples(shares, note + (f"; quick: {seconds:.0f} s only" if stage.quick else ""))]


def _watchers(panel: Panel, visits: Sequence[Visit]) -> list[Watcher]:
    watchers, now = [], time.monotonic()
    for visit in visits:
        opening = open_panel(panel.port, visit)
        # Agents do not open their panels at the same moments.
        due_at = time.monotonic() + random.uniform(0, 1.5)  # noqa: S311 (spreads load)
        watchers.append(
            Watcher(due_at, Connection(panel.port), opening.seal, opening.sections, now)
        )
    return watchers


def _watched(panel: Panel, watchers: Sequence[Watcher], seconds: float) -> Iterator[float]:
    resting, waiting = list(watchers), dict[Connection, Watcher]()
    heapq.heapify(resting)
    end, mark, used = time.monotonic() + seconds, time.monotonic(), panel.served.cpu
    while (now := time.monotonic()) < end:
        if now >= mark + WINDOW:
            yield 100 * (panel.served.cpu - used) / (now - mark)
            mark, used = now, panel.served.cpu
        while resting and resting[0].due <= now:
            watcher = heapq.heappop(resting)
            watcher.ask(now)
            waiting[watcher.connection] = watcher
        pause = max(0.001, min(resting[0].due, mark + WINDOW, end) - now) if resting else 1.0
        for connection in ready(waiting, pause):
            if answer := connection.receive():
                watcher = waiting.pop(connection)
                watcher.take(answer, time.monotonic())
                if watcher.todo:
                    watcher.ask(now)
                    waiting[connection] = watcher
                else:
                    heapq.heappush(resting, watcher)
    if panel.served.cpu > used and now - mark > WINDOW / 2:
        yield 100 * (panel.served.cpu - used) / (now - mark)


def kept_organizations(stage: Stage, shape: str) -> list[Samples]:
    """Measure the CPU time of warm requests for the same hundred organizations: alone, and among
    many others."""
    hot, many = stage.times(25, 100), stage.times(1000, 20_000)
    few, crowd = stage.environ(shape), stage.environ(shape)
    seconds, strangers = fill(crowd, many - hot)
    with stage.panel(few) as small_one, stage.panel(crowd) as large:
        visits = stage.newcomers(hot)
        turn = 0.5 if stage.quick else 3.0

        def cost(
            panel: Panel, seals: Sequence[str], names: Sequence[str] = tuple(SECTIONS)
        ) -> float:
            section_requests = [section_request(name, seal) for seal in seals for name in names]
            return rate(panel.served, section_requests, turn, 200)[1]

        ours = [large.warmed(visit) for visit in visits]
        theirs = [small_one.warmed(visit) for visit in visits]
        alternate(lambda: cost(large, ours), lambda: cost(small_one, theirs), 1)
        pairs = alternate(
            lambda: cost(large, ours), lambda: cost(small_one, theirs), stage.times(3, 7)
        )
        everyone = [strangers(organization, visits[0]) for organization in _far(many - hot)]
        spread = cost(large, everyone, ["licenses"]) / cost(large, ours, ["licenses"])
    note = f"{min(pairs)[0]:.2f} ms of CPU with {many:,} kept, each of which took"
    note += f" {1000 * seconds / many:.1f} ms to keep"
    note += "; quick: not 20,000" if stage.quick else ""
    note += f"\nalways another organization: {spread:.2f} times as much"
    return [Samples(ratios(pairs), note)]


def _far(number: int) -> list[int]:
    numbers = list(range(FAR, FAR + number))
    random.shuffle(numbers)
    return numbers


Strangers = Callable[[int, Visit], str]


def fill(environ: dict[str, str], number: int) -> tuple[float, Strangers]:
    """Keep so many organizations in the panel's own cache.

    Returns the seconds that this took, and a function that makes a seal of one of them for a visit.
    """
    shared = services.build(from_env(environ), Flask("fill"))
    bodies, started_at = _bodies(), time.monotonic()
    for organization in range(FAR, FAR + number):
        for document in DOCUMENTS:
            resource, body = (
                shared.back_office.resource(document, organization),
                bodies[document.name],
            )
            shared.cache.read(resource, CacheControl.FRESH, partial(_answer, body))
    seconds = time.monotonic() - started_at
    shared.database.dispose()

    def seal(organization: int, visit: Visit) -> str:
        stated_seal = Seal(AGENT, SHARED_SECRET, 1, visit.conversation, visit.contact, organization)
        return shared.seals.sign(stated_seal)

    return seconds, seal


def _answer(body: Any, _by: Deadline) -> Any:
    return body


def _bodies() -> dict[str, Any]:
    """Return the bodies that the cache keeps of a small organization."""
    company = small(Maker(datetime.now(UTC).date(), FAR), "Empresa Ltda", "empresa.example")
    lists = {name: list(getattr(company, name)) for name in ("orders", "quotes", "licenses")}
    values = {
        name: {"rows": rows, "total": len(rows), "more": False} for name, rows in lists.items()
    }
    return {"organization": company.organization, **values}


def memory(stage: Stage, shape: str) -> list[Samples]:
    """Request sections and changes of fifty organizations, with an opening now and then."""
    first, last = 1000, 10_000 if stage.quick else 100_000
    with stage.panel(stage.environ(shape, PANEL_WORKER="inside")) as panel:
        requests = list(_mixed(panel, stage.newcomers(50)))
        load(panel.port, requests, CONNECTIONS, count=first).only(200, 204)
        before = panel.served.megabytes
        load(panel.port, requests, CONNECTIONS, count=last - first).only(200, 204)
        after = panel.served.megabytes
    note = f"{before:.1f} MB after {first:,} requests, {after:.1f} MB after {last:,}"
    note += "; quick: not after 100,000" if stage.quick else ""
    return [Samples([after / before], note), Samples([after], "the passes run in the same process")]


def _mixed(panel: Panel, visits: Sequence[Visit]) -> Iterator[bytes]:
    for visit in visits:
        seal = panel.warmed(visit)
        yield visit.request
        yield from (section_request(name, seal) for name in SECTIONS)
        versions = seen_of(open_panel(panel.port, visit).sections)
        yield from [request("GET", f"/changes?seen={versions}&idle=0", seal)] * 15
