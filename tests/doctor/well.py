"""An installation in which all is well, until a test breaks something."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.broken.site import WEBHOOK_SECRET, Site, site
from tests.conftest import wait_until
from tests.doctor.test_doctor import PATIENCE, ask


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A panel that is served and set up."""
    with site(
        tmp_path_factory.mktemp("served"),
        CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET,
        MIDDAG_INTEGER_MONEY="units",
    ) as running_site:
        running_site.start_web()
        running_site.await_web()
        running_site.environ["PANEL_URL"] = running_site.url
        running_site.run("setup --take-over")
        for row in running_site.chat.webhooks.values():
            row["secret"] = WEBHOOK_SECRET
        yield running_site


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
