"""Real servers in front of a back office."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.wrappers import Response

from panel.demo.worlds import SECRET, serve
from panel.sync.jobs import Jobs
from panel.sync.tries import TryOutcome, run_try
from tests.conftest import API, Clock, MakePanel, Panel, Worlds
from tests.web.test_truth import seal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


Wall = Callable[[], Response]


@dataclass
class Door:
    """The way to a back office; `wall`, where it is set, answers in the back office's place."""

    office: "WSGIApplication"
    wall: Wall | None = None

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        return (self.wall() if self.wall else self.office)(environ, start)


@dataclass
class House:
    """A panel behind a door."""

    panel: Panel
    door: Door

    def section(self, number: int, name: str = "orders", **headers: str) -> requests.Response:
        bearer = seal(self.panel, number)
        return self.panel.ask("POST", f"/sections/{name}/refresh", bearer, headers=headers)


@pytest.fixture
def house(worlds: Worlds, make_panel: MakePanel) -> Iterator[House]:
    door = Door(worlds.office.app)
    server = serve(door)
    yield House(make_panel(Clock(), MIDDAG_API_URL=server.url + API), door)
    server.stop()


def try_pass(organization: int, jobs: Jobs) -> TryOutcome:
    return run_try("a pass", lambda: jobs.bring_in_line(organization))


def check(panel: Panel) -> str:
    """Return the word of `/readyz` about the back office."""
    word: str = panel.ask("GET", "/readyz", SECRET).json()["parts"]["back_office"]
    return word
