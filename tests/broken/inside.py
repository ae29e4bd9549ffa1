"""Breaks inside our installation: refused deliveries, waiting hooks, files."""

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from panel.data.obstacles import COMPANIONS
from tests.broken.rows import Break, Make, do_nothing
from tests.broken.site import Site
from tests.test_start import OTHERS

TOO_LATE, DAYS = 601.0, 2 * 86400.0  # seconds


@contextmanager
def just(_site: Site) -> Iterator[None]:
    """Change nothing: the use of the site is the break itself."""
    yield


def then_well(use: Callable[[Site], object]) -> Make:
    """Make a break by `use`, and end it by a delivery that is accepted."""

    @contextmanager
    def make(site: Site) -> Iterator[None]:
        use(site)
        yield
        site.deliver()
        site.ring()
        site.open()

    return make


def ring_wrongly(site: Site) -> None:
    site.ring(secret="another")


def open_with_old_key(site: Site) -> None:
    site.open(key="a-key-of-another-secret")


def post_from_elsewhere(site: Site) -> None:
    """Post as every agent's browser does where PANEL_URL is wrong."""
    site.open(Origin="https://panel.elsewhere.example")


@contextmanager
def bury(site: Site) -> Iterator[None]:
    site.ring(None)
    yield
    site.run("sync buried --dismiss-all")


@contextmanager
def ring_of_nobody(site: Site) -> Iterator[None]:
    """Write a hook of an unknown organization by hand."""
    site.run("sync backfill 99999")
    yield
    site.run("sync buried --dismiss-all")


@contextmanager
def wait_for_days(site: Site) -> Iterator[None]:
    """Write a hook whose pass was lost, as by a restored backup."""
    came = "strftime('%s') - :days"
    columns = "hook_id, kind, organization, occurred_at, received_at, status"
    values = f"'old', 'order.paid', 42, {came}, {came}, 'waiting'"
    site.change(f"INSERT INTO hooks ({columns}) VALUES ({values})", days=DAYS)
    yield
    site.change("DELETE FROM hooks WHERE hook_id = 'old'")


# -- files -----------------------------------------------------------------------------------------


def list_files(site: Site) -> list[Path]:
    """Return the existing files of the database."""
    files = [Path(f"{site.database_file}{companion}") for companion in COMPANIONS]
    return [file for file in files if file.exists()]


@contextmanager
def give_database_away(site: Site) -> Iterator[None]:
    files = list_files(site)
    for file in files:
        os.chown(file, OTHERS, OTHERS)
    yield
    for file in files:
        os.chown(file, 0, 0)


@contextmanager
def give_lock_away(site: Site) -> Iterator[None]:
    """Leave the files as a command of root would."""
    lock = Path(f"{site.database_file}.writing.lock")
    lock.touch()
    os.chown(lock, OTHERS, OTHERS)
    yield
    os.chown(lock, 0, 0)


@contextmanager
def hold_lock(site: Site) -> Iterator[None]:
    """Let another program write, and hang."""
    with closing(sqlite3.connect(site.database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def upgrade_database(site: Site) -> Iterator[None]:
    """Upgrade the database as a newer program does."""
    with closing(sqlite3.connect(site.database_file)) as other:
        (before,) = other.execute("SELECT oldest_code FROM compatibility").fetchone()
    site.change("UPDATE compatibility SET oldest_code = 999")
    yield
    site.change("UPDATE compatibility SET oldest_code = :before", before=before)


@contextmanager
def move_database_away(site: Site) -> Iterator[None]:
    """Move the database away while the panel runs, as a careless clean-up does."""
    files = [item for item in list_files(site) if item.suffix != ".lock"]
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    for file in files:
        file.rename(elsewhere / file.name)
    yield
    for file in files:
        (elsewhere / file.name).rename(file)
    elsewhere.rmdir()


@contextmanager
def fill_disk(site: Site) -> Iterator[None]:
    """Forbid the serving process to make any file longer, as on a full disk."""
    before = resource.prlimit(site.web_pid, resource.RLIMIT_FSIZE)
    resource.prlimit(site.web_pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(site.web_pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def close_cache(site: Site) -> Iterator[None]:
    folders = list((site.folder / "cache").iterdir())
    for folder in folders:
        folder.chmod(0o500)
    yield
    for folder in folders:
        folder.chmod(0o700)


def ring(site: Site) -> None:
    site.ring()


DELIVERIES = (
    Break("the plugin has another secret", then_well(ring_wrongly), do_nothing,
          "plugin_hooks", "refused", "CHATWOOT_CONTACT_VIEW_SECRET",
          "a hook of the plugin from 127.0.0.1 was refused: wrong proof",
          "The plugin's hooks are not well"),
    Break("a proxy drops Chatwoot's signature", then_well(lambda s: s.deliver(is_signed=False)),
          do_nothing, "chatwoot_webhooks", "refused", "unsigned", "was refused: unsigned",
          "Chatwoot's webhooks are not well"),
    Break("the webhook has another secret", then_well(lambda s: s.deliver(secret="another")),
          do_nothing, "chatwoot_webhooks", "refused", "CHATWOOT_WEBHOOK_SECRET",
          "was refused: wrong signature", "Chatwoot's webhooks are not well"),
    Break("clocks ten minutes apart", then_well(lambda s: s.deliver(late=TOO_LATE)), do_nothing,
          "chatwoot_webhooks", "refused", "clocks", "was refused: stale timestamp",
          "Chatwoot's webhooks are not well"),
    Break("dashboard app with an old key", then_well(open_with_old_key), do_nothing,
          "agents", "refused", "launch key", "wrong_proof", code=0),
    Break("PANEL_URL is wrong", then_well(post_from_elsewhere), do_nothing,
          "agents", "refused", "PANEL_URL", "foreign_origin", code=0),
    Break("a hook without an organization", bury, do_nothing, "buried", "given_up", "sync buried",
          "the part buried is not well", "1 hook was given up"),
    Break("a hook of nobody", ring_of_nobody, do_nothing, "buried", "given_up", "sync buried",
          "unknown_organization", "1 hook was given up"),
    Break("a hook waits for days", wait_for_days, do_nothing, "waiting_hooks", "late",
          "the oldest came 2 days ago", "the part waiting_hooks is not well: late",
          "The oldest hook came 2 days ago"),
)  # fmt: skip
FILES = (
    Break("database of another user", give_database_away, ring, "database", "not_writable",
          "panel.db belongs to user 65533", "panel.db belongs to user 65533",
          "panel.db belongs to user 65533", 1, True),
    Break("a lock of root's", give_lock_away, ring, "database", "not_writable",
          "writing.lock belongs to user 65533", "writing.lock belongs to user 65533",
          "writing.lock belongs to user 65533", 1, True),
    Break("database locked by another program", hold_lock, do_nothing, "database", "not_writable",
          "locked", "database is locked", "database is locked"),
    Break("database of a newer program", upgrade_database, ring, "schema", "wrong", "too new",
          "the part schema is not well", "too new", 2),
    Break("database file moved away", move_database_away, ring, "schema", "wrong",
          "There is no database",
          "the part schema is not well", "There is no database", 2),
    Break("disk full", fill_disk, ring, "database", "not_writable", "disk",
          "not_writable (The database", code=0, is_named=False),
    Break("cache folder closed", close_cache, lambda s: s.refresh(), "cache", "away",
          "is ours but closed",
          "the cache cannot be used", code=0, is_apart=True),
)  # fmt: skip
