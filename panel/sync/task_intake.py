"""The intake of tasks: keeps a task, together with the try that will do it.

However often a task is asked for, at most one try of it waits. The `executor` does tasks.
"""

import time
from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import Engine

from panel.data import dead_letters, inbox, tasks
from panel.data.tasks import Task
from panel.sync.intake import NotKept
from panel.sync.pass_queue import TROUBLE


class TaskIntake:
    """Keeps tasks. Every process may have an intake, which executes nothing."""

    def __init__(self, database: Engine, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def ask(self, task: Task, organization: int | None = None) -> bool:
        """Keep the task; returns False when a try of it waits already. Raises `NotKept`.

        `organization`: one organization of the contact.
        """
        try:
            with self._database.connect() as connection:
                if tasks.is_asked(connection, task, self._clock()):
                    # So a flood of webhooks about one task takes no turn from other writers.
                    return False
            with inbox.write_transaction(self._database, task.id) as connection:
                return tasks.ask(connection, task, str(uuid4()), self._clock(), organization)
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error

    def replay(self, task: Task) -> bool:
        """Do a buried task again; returns False when the task was not buried. Raises `NotKept`."""
        with inbox.write_transaction(self._database, task.id) as connection:
            if not dead_letters.settle_task(connection, task, "run again", self._clock()):
                return False
        self.ask(task)
        return True
