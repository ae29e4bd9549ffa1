"""The same of an installation on several machines: PostgreSQL, Redis, a worker of its own."""

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.broken.breaks import ON_SERVERS
from tests.broken.expectations import await_well, check
from tests.broken.rows import Break
from tests.broken.site import WEBHOOK_SECRET, Site, site
from tests.conftest import start_redis


@pytest.fixture(scope="module")
def on_servers(tmp_path_factory: pytest.TempPathFactory, cluster: str) -> Iterator[Site]:
    """An installation as of several machines: PostgreSQL, Redis, a separate worker."""
    folder = tmp_path_factory.mktemp("on_servers")
    server = start_redis(folder)
    url = postgres.create(cluster, "broken", "template")
    settings = {
        "PANEL_DATABASE_URL": url,
        "PANEL_CACHE_URL": server.url,
        "PANEL_WORKER": "separate",
        "PANEL_URL": "https://panel.example.com",
        "CHATWOOT_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
    with site(folder, **settings) as running_site:
        running_site.servers["redis"] = server
        running_site.start_web()
        running_site.start_worker()
        running_site.await_web()
        running_site.await_worker()
        await_well(running_site)
        yield running_site
    server.process.kill()
    server.process.wait()


@pytest.mark.parametrize("row", ON_SERVERS, ids=lambda row: row.name)
def test_on_several_machines_it_is_seen(on_servers: Site, row: Break) -> None:
    check(row, on_servers)
