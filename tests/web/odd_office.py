"""A back office whose answers are raw text, and the lines of the log about them."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import requests
from prometheus_client import REGISTRY
from werkzeug.wrappers import Request, Response

from panel.auth.seal import Seal
from panel.demo.worlds import AGENT, serve
from panel.logs.events import QUIET_SECONDS
from tests.conftest import API, Clock, Panel, panels_before, worlds_on_sockets

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


ORGANIZATION = 42
ODD, RIGHT = 1, 2
# The fields of a row beside the odd one.
ROWS: dict[str, dict[str, Any]] = {
    "orders": {"status": "pending", "total": "10.00", "currency": "BRL"},
    "quotes": {"status": "sent", "total": "10.00", "currency": "BRL", "valid_until": "2031-05-15"},
    "licenses": {"status": "active", "expires_at": "2031-05-15", "product_name": "Plugin"},
}


@dataclass
class RawOffice:
    """A back office that answers with the text that it is given for each document's `data`."""

    data: dict[str, str] = field(default_factory=dict)

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        name = Request(environ).path.removeprefix(API).strip("/").partition("/")[0]
        text = f'{{"success": true, "data": {self.data[name]}, "meta": null}}'
        return Response(text, content_type="application/json")(environ, start)


@dataclass
class Bench:
    office: RawOffice
    panel: Panel

    def show(self, name: str, data: str) -> requests.Response:
        """Return the section with this `data`, as a proven customer's agent sees it."""
        self.office.data["organizations" if name == "organization" else name] = data
        self.panel.clock.advance(QUIET_SECONDS + 1)
        seal = Seal(AGENT, "shared-secret", 1, 101, 301, ORGANIZATION, "proven")
        return self.panel.refresh(name, self.panel.services.seals.sign(seal))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    office = RawOffice()
    server = serve(office)
    folder = tmp_path_factory.mktemp("odd")
    with worlds_on_sockets() as worlds, panels_before(worlds, folder) as make:
        yield Bench(office, make(clock=Clock(), MIDDAG_API_URL=server.url + API))
    server.stop()


@dataclass
class Log:
    """The lines of the log, and the count of each odd field."""

    caplog: pytest.LogCaptureFixture
    before: Mapping[tuple[str, str], int]

    def lines(self) -> list[str]:
        records = self.caplog.records
        return [record.message for record in records if record.name == "panel.upstream.failures"]

    def counted(self) -> dict[tuple[str, str], int]:
        now = count_odd()
        return {key: now[key] - self.before.get(key, 0) for key in now}


def count_odd() -> Mapping[tuple[str, str], int]:
    """Return the counts over all hosts, because earlier tests in the process counted for other
    hosts."""
    counts: Counter[tuple[str, str]] = Counter()
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == "panel_upstream_odd_values_total":
                counts[sample.labels["document"], sample.labels["field"]] += int(sample.value)
    return counts


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    caplog.set_level(logging.WARNING, "panel.upstream.failures")
    return Log(caplog, count_odd())


def raw(text: str) -> str:
    return f"raw:{text}"
