"""The fixtures of all tests: the panel between its two built-in worlds, databases, a Redis."""

import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from cachelib import SimpleCache
from flask import Flask
from flask.sansio.app import App
from flask.templating import Environment
from jinja2 import MemcachedBytecodeCache

from panel.data import db
from tests import postgres
from tests.clocks import Clock, wait_until
from tests.memory import find_memory
from tests.pages import attribute, rows_of, seal_of, state_of, words_of
from tests.panels import MakePanel, Panel, build_cache, panels_before, with_tables
from tests.redis_servers import Redis, start_redis
from tests.sync.engine import make_engine
from tests.worlds import (
    API,
    TODAY,
    Worlds,
    environment,
    no_worlds,
    prove_customer,
    stop,
    worlds_on_sockets,
)

# Most tests import these names from here, beside the fixtures that return them.
__all__ = [
    "API",
    "TODAY",
    "Clock",
    "MakePanel",
    "Panel",
    "Redis",
    "Worlds",
    "attribute",
    "build_cache",
    "environment",
    "no_worlds",
    "panels_before",
    "prove_customer",
    "rows_of",
    "seal_of",
    "start_redis",
    "state_of",
    "stop",
    "wait_until",
    "with_tables",
    "words_of",
    "worlds_on_sockets",
]


# Examples have no deadline, because a busy machine is slow, and are not stored, so the tree stays
# clean.
hypothesis.settings.register_profile("calm", deadline=None, database=None)
hypothesis.settings.load_profile("calm")

# The folders of pytest; a database in them commits without waiting for a disk. Some tests run
# programs in them, which a container may forbid for files in memory.
if (place := find_memory()) and not os.statvfs(place).f_flag & os.ST_NOEXEC:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", place)

# Hundreds of panels start in one process, so compiled templates are kept for all of them.
KEPT = SimpleCache(threshold=1000, default_timeout=0)
# The cache differs from the expected one only in the result of `set`.
COMPILED = MemcachedBytecodeCache(KEPT)  # type: ignore[arg-type]


class Compiling(Environment):
    """Flask's own Jinja; a template whose source changes is compiled anew."""

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(app, bytecode_cache=COMPILED, **options)


Flask.jinja_environment = Compiling


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the modules and the tests, which live until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    with worlds_on_sockets() as both:
        yield both


@pytest.fixture
def make_panel(worlds: Worlds, tmp_path: Path) -> Iterator[MakePanel]:
    """`make_panel(PANEL_LOCALE="en", …)` makes one more panel before the same worlds."""
    with panels_before(worlds, tmp_path) as make:
        yield make


@pytest.fixture
def panel(make_panel: MakePanel) -> Panel:
    """A panel as the settings make it."""
    return make_panel()


@pytest.fixture
def clocked(make_panel: MakePanel) -> Panel:
    """A panel whose cache runs on `panel.clock`, with a breaker that never opens."""
    return make_panel(clock=Clock())


@pytest.fixture(scope="module")
def _standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    folder = tmp_path_factory.mktemp("standing")
    with worlds_on_sockets() as both, panels_before(both, folder) as make:
        yield make()


@pytest.fixture
def standing(_standing: Panel) -> Panel:
    """A panel for a whole file, for tests that change nothing; neither world was asked yet."""
    _standing.office.forget()
    _standing.chat.forget()
    return _standing


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis that a test may stop or kill."""
    server = start_redis(tmp_path)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.process.kill()
    server.process.wait()


def certify(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that no authority signed, and its key."""
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    openssl = shutil.which("openssl", path=path) or pytest.skip("no openssl (tests/machine.sh)")
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    command = "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *command.split(), *names, *files], check=True, capture_output=True)
    return certificate, key


_numbers = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    with cluster_with_tables() as address:
        yield address


@contextmanager
def cluster_with_tables() -> Iterator[str]:
    """Run a cluster of its own, for a test that breaks it. Its database `template` has all tables,
    so they are made once, and each test gets a copy."""
    folder = postgres.programs()
    if folder is None:
        pytest.skip(postgres.ABSENT)
    with postgres.cluster(folder) as address:
        url = postgres.create(address, "template")
        database = db.connect(url)
        make_engine(no_worlds(Path(), PANEL_DATABASE_URL=url), database).migrate()
        database.dispose()
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{with_tables(tmp_path)}/panel.db"
    address: str = request.getfixturevalue("cluster")
    return postgres.create(address, f"panel{next(_numbers)}", "template")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{with_tables(tmp_path)}/panel.db"
