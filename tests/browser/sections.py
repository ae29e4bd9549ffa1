"""The contents of a section in the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.browser.conftest import Demo, Panel, Seen


@contextmanager
def asked(seen: Seen, demo: Demo, panel: Panel) -> Iterator[list[str]]:
    """The panel's requests to us meanwhile: method and path.

    Without its clock's questions, and the head's, which reads copies that are kept.
    """
    panel.settle()
    before, paths = len(seen.sent()), list[str]()
    yield paths
    panel.settle()
    for request in seen.sent()[before:]:
        path = urlsplit(request.url).path
        if request.url.startswith(demo.panel_url) and path not in ("/changes", "/attention"):
            paths.append(f"{request.method} {path}")
