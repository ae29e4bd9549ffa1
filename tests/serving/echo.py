"""A WSGI application that repeats its requests, for tests of the server alone."""

import time
from collections.abc import Callable, Iterable
from typing import Any

LARGE = 4 * 1024 * 1024


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """`/deaf` does not read the body, `/large` answers 4 MB, `/work` takes half a second."""
    path = environ["PATH_INFO"]
    body = b"" if path == "/deaf" else environ["wsgi.input"].read()
    if path == "/work":
        time.sleep(0.5)
    answer = b"x" * LARGE if path == "/large" else body or path.encode()
    start_response("200 OK", [("Content-Length", str(len(answer))), ("X-Path", path)])
    return [answer]
