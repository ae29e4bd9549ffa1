"""Breaks of the servers of an installation of several machines: PostgreSQL and Redis."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import redis
from sqlalchemy.engine import make_url

from tests.broken.rows import Break, Make
from tests.broken.site import Site
from tests.conftest import Redis

CLOSE, OPEN = (f"ALTER DATABASE {{name}} ALLOW_CONNECTIONS {name}" for name in ("false", "true"))
AWAY = "the part database is not well: away"


def ring(site: Site) -> None:
    site.ring()


def refresh(site: Site) -> None:
    site.refresh()


def administer(site: Site, *statements: str) -> None:
    """Run statements as PostgreSQL's administrator, and after each of them end the panel's
    sessions."""
    url = make_url(site.environ["PANEL_DATABASE_URL"])
    address = url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.format(name=url.database).encode())
            # The function waits until the session is gone.
            ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            connection.execute(f"{ended} WHERE datname = %s".encode(), [url.database])


def change_postgresql(break_it: tuple[str, ...], mend: tuple[str, ...]) -> Make:
    @contextmanager
    def make(site: Site) -> Iterator[None]:
        administer(site, *break_it)
        yield
        administer(site, *mend)

    return make


def configure_redis(name: str, value: str, before: str) -> Make:
    @contextmanager
    def make(site: Site) -> Iterator[None]:
        server: Redis = site.servers["redis"]
        with redis.Redis.from_url(server.url) as client:
            client.config_set(name, value)
            client.client_kill_filter(_type="normal", skipme=True)
            yield
            client.config_set(name, before)

    return make


@contextmanager
def follow_another(site: Site) -> Iterator[None]:
    """Make the server a replica, which refuses writes."""
    with redis.Redis.from_url(site.servers["redis"].url) as client:
        client.replicaof("127.0.0.1", "1")
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def freeze_redis(site: Site) -> Iterator[None]:
    site.servers["redis"].process.send_signal(signal.SIGSTOP)
    yield
    site.servers["redis"].process.send_signal(signal.SIGCONT)


def cache(name: str, make: Make, detail: str) -> Break:
    return Break(name, make, refresh, "cache", "away", detail, "the cache cannot be used", code=0)


SERVERS = (
    Break("PostgreSQL refuses connections", change_postgresql((CLOSE,), (OPEN,)), ring,
          "database", "away", "not currently accepting connections", AWAY,
          "not currently accepting connections", 2),
    Break("PostgreSQL has no such database",
          change_postgresql((CLOSE, "ALTER DATABASE {name} RENAME TO elsewhere"),
                            ("ALTER DATABASE elsewhere RENAME TO {name}", OPEN)),
          ring, "database", "away", "does not exist", AWAY, "does not exist", 2),
    Break("PostgreSQL can only be read",
          change_postgresql(("ALTER DATABASE {name} SET default_transaction_read_only = on",),
                            ("ALTER DATABASE {name} RESET default_transaction_read_only",)),
          ring, "database", "not_writable", "read-only transaction",
          "the part database is not well: not_writable", "read-only transaction", 1),
    cache("Redis wants a password", configure_redis("requirepass", "secret", ""), "Authentication"),
    cache("Redis is full", configure_redis("maxmemory", "1", "0"), "OutOfMemoryError"),
    cache("Redis is a replica", follow_another, "ReadOnlyError"),
    cache("Redis is frozen", freeze_redis, "Timeout"),
)  # fmt: skip
