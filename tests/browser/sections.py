"""The contents of a section in the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.browser.conftest import Demo, Panel, Seen


@contextmanager
def asked(seen: Seen, demo: Demo, panel: Panel) -> Iterator[list[str]]:
    """Yield the panel's requests to us during the block: method and path.

    The requests of its clock are left out, and those for the lines of the head, which are made from
    kept copies.
    """
    panel.settle()
    before, paths = len(seen.sent()), list[str]()
    yield paths
    panel.settle()
    for request in seen.sent()[before:]:
        path = urlsplit(request.url).path
        if request.url.startswith(demo.panel_url) and path not in ("/changes", "/attention"):
            paths.append(f"{request.method} {path}")
