"""The durable engine as a whole: the parts of a web process and of the worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time

from flask import Flask
from sqlalchemy import Engine as Database

from panel.data import schema
from panel.services import Services, get
from panel.settings import Settings
from panel.sync.intake import Intake
from panel.sync.pass_queue import PassQueue
from panel.sync.task_intake import TaskIntake
from panel.sync.tries import RETRY_WAITS
from panel.sync.worker import Worker


@dataclass(frozen=True)
class Engine:
    """`intake` keeps hooks and `tasks` keeps tasks; `worker` does them; `queue` lies in between."""

    database: Database
    queue: PassQueue
    intake: Intake
    worker: Worker
    tasks: TaskIntake

    @property
    def on_sqlite(self) -> bool:
        return self.database.dialect.name == "sqlite"

    def migrate(self) -> None:
        schema.migrate(self.database)
        self.queue.migrate()


def make_engine(
    settings: Settings,
    database: Database,
    waits: Sequence[float] = RETRY_WAITS,
    clock: Callable[[], float] = time,
) -> Engine:
    queue = PassQueue(database)
    intake = Intake(database, clock)
    tasks = TaskIntake(database, clock)
    return Engine(database, queue, intake, Worker(settings, queue, waits, clock), tasks)


def engine_of(app: Flask) -> Engine:
    """Return the engine of this application."""
    database = get(Services, app).database
    queue, intake, worker = get(PassQueue, app), get(Intake, app), get(Worker, app)
    return Engine(database, queue, intake, worker, get(TaskIntake, app))
