"""A break of a running installation is named by `/readyz`, the log and `sync status`."""

from collections.abc import Iterator

import pytest

from tests.broken.breaks import AT_START, ON_FILES, ON_SERVERS
from tests.broken.expectations import await_well, check
from tests.broken.rows import Break
from tests.broken.site import WEBHOOK_SECRET, Site, site


@pytest.fixture(scope="module")
def on_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A single machine: gunicorn, which executes passes too, SQLite, a cache of files."""
    folder = tmp_path_factory.mktemp("on_files")
    with site(folder, CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET) as running_site:
        running_site.start_web()
        running_site.await_web()
        running_site.use_well()
        await_well(running_site)
        yield running_site


@pytest.mark.parametrize("row", ON_FILES, ids=lambda row: row.name)
def test_on_one_machine_it_is_seen(on_files: Site, row: Break) -> None:
    check(row, on_files)


def test_no_break_is_made_twice() -> None:
    names = [row.name for row in (*ON_FILES, *ON_SERVERS, *AT_START)]
    assert len(set(names)) == len(names)
