"""Breaks of the worker, where that is a separate process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from panel.data.workers import BEAT_SECONDS
from panel.health.worker_health import SILENT_SECONDS
from tests.broken.rows import Break
from tests.broken.site import Site


@contextmanager
def stop_worker(site: Site) -> Iterator[None]:
    site.workers[-1].end()
    yield
    site.start_worker()
    site.await_worker()


@contextmanager
def kill_worker(site: Site) -> Iterator[None]:
    site.workers[-1].send(signal.SIGKILL)
    site.workers[-1].wait()
    yield
    site.start_worker()
    site.await_worker()


@contextmanager
def freeze_worker(site: Site) -> Iterator[None]:
    worker = site.workers[-1]
    worker.send(signal.SIGSTOP)
    silent = SILENT_SECONDS + BEAT_SECONDS  # as if it had been frozen for that long
    site.change("UPDATE workers SET beat_at = beat_at - :silent", silent=silent)
    yield
    worker.send(signal.SIGCONT)
    site.await_worker()


@contextmanager
def copy_account(site: Site) -> Iterator[None]:
    """Let another installation mark Chatwoot's account before this worker starts."""
    site.workers[-1].end()
    assert site.run("setup --take-over").code in (0, 1)
    site.change("UPDATE installation SET id = 'of-another'")
    site.start_worker()
    yield
    site.workers[-1].end()
    site.run("setup --take-over")
    site.start_worker()
    site.await_worker()


def row(word: str, name: str, make: object, log: str = "", status: str = "") -> Break:
    return Break(name, make, part="worker", word=word,  # type: ignore[arg-type]
                 log=log or f"the part worker is not well: {word}",
                 status=status or f"Nobody executes passes ({word})")  # fmt: skip


WORKERS = (
    row("missing", "the worker was stopped", stop_worker),
    row("dead", "the worker was killed", kill_worker),
    row("frozen", "the worker is frozen", freeze_worker),
    row("held_back", "another installation writes into the account", copy_account,
        "another installation writes into this account",
        "Another installation writes into this Chatwoot account"),
)  # fmt: skip
