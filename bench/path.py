"""The row of the path: how many modules an opening enters, and how often it changes between them.

An opening is traced in this process: Flask's test client asks a panel between the stage's worlds.
Counted are the modules of `panel`, and the calls that lead from one of them into another, whatever
libraries do in between.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from flask.testing import FlaskClient

from bench.figures import Samples
from bench.stage import Stage, Visit, seal_of
from panel.application import create_app
from panel.auth.tokens import derive_launch_key
from panel.data.schema import Preparation
from panel.demo.worlds import SECRET
from panel.services import Services, get
from panel.settings import from_env
from panel.web.sections import SECTIONS

OURS = "panel."


@dataclass
class Trace:
    """The modules that were entered so far. `_stack`: the module of each frame, or the module that
    led to it."""

    modules: set[str] = field(default_factory=set)
    calls: int = 0
    changes: int = 0
    _stack: list[str] = field(default_factory=list)

    def note(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take an event of `sys.setprofile`, which reports each call of a Python function."""
        if event == "call":
            self._enter(str(frame.f_globals.get("__name__", "")))
        elif event == "return" and self._stack:
            self._stack.pop()

    def _enter(self, module: str) -> None:
        before = self._stack[-1] if self._stack else ""
        if not module.startswith(OURS):
            self._stack.append(before)
            return
        self._stack.append(module)
        self.modules.add(module)
        self.calls += 1
        self.changes += module != before


def trace(work: Callable[[], object]) -> Trace:
    path = Trace()
    sys.setprofile(path.note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return path


def openings(stage: Stage, shape: str) -> list[Samples]:
    """An opening without any kept copy, and one with fresh copies of all sections."""
    app = create_app(from_env(stage.environ(shape)))
    get(Preparation, app).ensure()
    try:
        return _measure(stage, app.test_client())
    finally:
        services = get(Services, app)
        services.deliveries.stop()
        services.database.dispose()


def _measure(stage: Stage, client: FlaskClient) -> list[Samples]:
    [visit, first] = stage.newcomers(2)
    open_panel(client, first)  # the work that a process does once is no part of an opening
    cold = trace(lambda: open_panel(client, visit))
    seal = seal_of(open_panel(client, visit))
    for name in SECTIONS:
        client.post(f"/sections/{name}/refresh", headers={"Authorization": f"Bearer {seal}"})
    warm = trace(lambda: open_panel(client, visit))
    return [_count(cold), _count_changes(cold), _count(warm), _count_changes(warm)]


def open_panel(client: FlaskClient, visit: Visit) -> str:
    headers = {"Authorization": f"Bearer {derive_launch_key(SECRET)}"}
    answer = client.post("/contact", data=visit.form, headers=headers)
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.status}: {answer.text[:300]}")
    return answer.text


def _count(path: Trace) -> Samples:
    return Samples([float(len(path.modules))])


def _count_changes(path: Trace) -> Samples:
    return Samples([float(path.changes)], f"of {path.calls} calls")
