"""What a section shows in the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.browser.conftest import Demo, Panel, Seen


@contextmanager
def asked(seen: Seen, demo: Demo, panel: Panel) -> Iterator[list[str]]:
    """What the panel asked of us meanwhile: method and path.

    Without its clock's questions, and the head's, which reads copies that are kept.
    """
    panel.settle()
    before, found = len(seen.sent()), list[str]()
    yield found
    panel.settle()
    for sent in seen.sent()[before:]:
        path = urlsplit(sent.url).path
        if sent.url.startswith(demo.panel_url) and path not in ("/changes", "/attention"):
            found.append(f"{sent.method} {path}")
