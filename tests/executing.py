"""A worker as others see it: it holds the lease, and says that it executes. It executes nothing."""

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
