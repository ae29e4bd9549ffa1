"""The intake of tasks: keep one and enqueue its try in one transaction.

However often a task is asked for, one try of it waits at most. `worker` does them.
"""

import time
from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import Engine

from panel.data import dead_letters, inbox, tasks
from panel.data.tasks import Task
from panel.sync.intake import NotKept
from panel.sync.pass_queue import TROUBLE, PassQueue


class TaskIntake:
    """Every process may have one. Executes nothing."""

    def __init__(
        self, database: Engine, queue: PassQueue, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock

    def ask(self, task: Task, organization: int | None = None) -> bool:
        """Have the task done; False when a try of it waits already. Raises `NotKept`.

        `organization`: one of the contact's.
        """
        try:
            with self._database.connect() as connection:
                if tasks.is_asked(connection, task):
                    return False  # a flood of webhooks about it takes no turn of the writers
            with inbox.write_transaction(self._database, task.id) as connection:
                try_id = str(uuid4())
                delay = tasks.ask(connection, task, try_id, self._clock(), organization)
                if delay is None:
                    return False
                self._queue.enqueue_task(connection, task, try_id, delay)
                return True
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error

    def replay(self, task: Task) -> bool:
        """Do a task again that was given up; False when it was not. Raises `NotKept`."""
        with inbox.write_transaction(self._database, task.id) as connection:
            if not dead_letters.settle_task(connection, task, "run again", self._clock()):
                return False
        self.ask(task)
        return True
