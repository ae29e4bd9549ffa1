"""The base of both worlds: a WSGI app that writes down every call before it answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request as it arrived: header names in lower case, `at` in unix seconds."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: Any
    at: float


class World:
    """A WSGI app over state in memory. Subclasses answer a call in `respond`.

    `delay` seconds pass before every answer; `calls` holds every call in order of arrival.
    `workers`, where it is set, lets only so many calls be answered at the same time: a pool as that
    of PHP, in which the others wait. `page`, where it is set, answers addresses outside `root`:
    such a request is no call and has no delay.
    """

    base = ""
    root: str | tuple[str, ...] = "/"

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.calls: list[Call] = []
        self.delay = 0.0
        self.workers: AbstractContextManager[Any] = nullcontext()
        self.page: Callable[[Call], WSGIApplication] | None = None
        self._closing = threading.Event()

    @property
    def app(self) -> WSGIApplication:
        """Return the app that a WSGI server serves: the world itself."""
        return self

    def count(self, path_prefix: str = "") -> int:
        """Count the calls whose path, whole or below `base`, starts with the prefix."""
        with self.lock:
            paths = [call.path for call in self.calls]
        return sum(
            path.startswith(path_prefix) or path.removeprefix(self.base).startswith(path_prefix)
            for path in paths
        )

    def forget(self) -> None:
        """Empty the list of calls."""
        with self.lock:
            self.calls.clear()

    def open(self) -> None:
        """A server starts to serve this world."""
        self._closing.clear()

    def close(self) -> None:
        """The server stops: all callers in `wait` return."""
        self._closing.set()

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the world is closed meanwhile."""
        if seconds > 0:
            self._closing.wait(seconds)

    def respond(self, call: Call) -> WSGIApplication:
        """Answer one call."""
        raise NotImplementedError

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        call = call_of(Request(environ))
        if self.page is not None and not call.path.startswith(self.root):
            return self.page(call)(environ, start_response)
        with self.lock:
            self.calls.append(call)
        with self.workers:
            self.wait(self.delay)
            return self.respond(call)(environ, start_response)


def call_of(request: Request) -> Call:
    """Return the request as plain data; a body that is no JSON is None."""
    return Call(
        method=request.method,
        path=request.path,
        query=dict(request.args.items(multi=False)),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=_parse(request.get_data()),
        at=time.time(),
    )


def answer(status: int, document: Any = None, **headers: str) -> Response:
    """Make a JSON answer, empty without a document; `Retry_After` names the header."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if document is None:
        return Response(b"", status, fields)
    return Response(json.dumps(document), status, fields, content_type="application/json")


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
