"""The outward signs of a worker: the lease, and a row that says that it executes. Nothing is
executed."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from sqlalchemy import Engine

from panel.data.leader import lead
from panel.data.workers import EXECUTING, Workers


@contextmanager
def executing(database: Engine) -> Iterator[None]:
    with lead(database, Event()):
        Workers(database).put("here:1", EXECUTING)
        yield
