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
    ) as made:
        made.start_web()
        made.await_web()
        made.environ["PANEL_URL"] = made.url
        made.run("setup --take-over")
        for row in made.chat.webhooks.values():
            row["secret"] = WEBHOOK_SECRET
        yield made


def same(well: Site, tmp_path: Path, **changes: str) -> Site:
    """The same installation, with these settings: its database, and its cache."""
    shared = {name: well.environ[name] for name in ("PANEL_DATABASE_URL", "PANEL_CACHE_URL")}
    told = {"PANEL_URL": well.url, **shared, **changes}
    return replace(well.beside(tmp_path, **told), folder=tmp_path)


def expect(of: Site, told: str) -> None:
    """As soon as the machine lets it."""
    seen: list[str] = []

    def says() -> bool:
        seen.append(ask(of).output)
        return told in seen[-1]

    try:
        wait_until(says, PATIENCE)
    except AssertionError:
        raise AssertionError(seen[-1]) from None
