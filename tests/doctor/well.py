"""An installation in which all is well, until a test breaks something."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.broken.site import WEBHOOK_SECRET, Answer, Site, site
from tests.conftest import wait_until

PATIENCE = 90.0  # seconds, on a busy machine
SECRETS = ("demo-secret", "demo-administrator", WEBHOOK_SECRET)


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """Serve a panel, and set it up in Chatwoot."""
    changes = {"CHATWOOT_WEBHOOK_SECRET": WEBHOOK_SECRET, "MIDDAG_INTEGER_MONEY": "units"}
    with site(folder, **changes) as running_site:
        running_site.start_web()
        running_site.await_web()
        running_site.environ["PANEL_URL"] = running_site.url
        running_site.run("setup --take-over")
        for row in running_site.chat.webhooks.values():
            row["secret"] = WEBHOOK_SECRET
        yield running_site


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A panel that is served and set up."""
    with serving(tmp_path_factory.mktemp("served")) as running_site:
        yield running_site


def ask(of: Site, *options: str) -> Answer:
    """Run doctor; its output never holds a traceback or a secret."""
    answer = of.run(" ".join(["doctor", *options]))
    assert "Traceback" not in answer.output
    assert not [secret for secret in SECRETS if secret in answer.output]
    return answer


def same(well: Site, tmp_path: Path, **changes: str) -> Site:
    """Return the same installation, with its database and cache, under other settings."""
    shared = {name: well.environ[name] for name in ("PANEL_DATABASE_URL", "PANEL_CACHE_URL")}
    environment = {"PANEL_URL": well.url, **shared, **changes}
    return replace(well.beside(tmp_path, **environment), folder=tmp_path)


def expect(of: Site, words: str) -> None:
    """Expect these words from doctor, as soon as the machine lets it."""
    texts: list[str] = []

    def says() -> bool:
        texts.append(ask(of).output)
        return words in texts[-1]

    try:
        wait_until(says, PATIENCE)
    except AssertionError:
        raise AssertionError(texts[-1]) from None
