"""The tries of tasks: begins a try, and settles its outcome. The `executor` calls both as durable
steps."""

import logging
from collections.abc import Callable, Sequence
from uuid import uuid4

from sqlalchemy import Connection, Engine

from panel.data import dead_letters, inbox, tasks
from panel.data.tasks import Task
from panel.sync.pass_queue import TASK_WORKFLOW, PassQueue
from panel.sync.tries import TryOutcome, find_delay

log = logging.getLogger(__name__)
# The wait before a repair checks again whether the pass of the contact's organization has ended.
REPAIR_WAIT_SECONDS = 15.0


class TaskRunner:
    """Only the leader calls this."""

    def __init__(
        self,
        database: Engine,
        queue: PassQueue,
        waits: Sequence[float],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._queue = queue
        self._waits = waits
        self._clock = clock

    def begin(self, task: Task, try_id: str) -> bool:
        """Begin a try; False when another try has taken the place of this one."""
        with inbox.write_transaction(self._database, task.id) as connection:
            return tasks.begin_try(connection, task, try_id)

    def settle(self, task: Task, try_id: str, outcome: TryOutcome) -> None:
        """Note the outcome of a try: the task is done, or tried again, or given up."""
        now = self._clock()
        with inbox.write_transaction(self._database, task.id) as connection:
            if not tasks.is_running(connection, task, try_id):
                return
            if not outcome["reason"]:
                tasks.finish(connection, task, now)
                dead_letters.settle_task(connection, task, f"task {try_id}", now)
                return
            reason, side = outcome["reason"], outcome["side"]
            trouble = tasks.note_failed_try(connection, task, reason, side, now)
            delay = find_delay(self._waits, trouble.tries, outcome["retry_at"], now)
            if outcome["later"] and delay is not None:
                self._wait(connection, task, delay)
                return
            ids = {"subject": task.subject, "organization": trouble.organization}
            log.warning("%s: buried: %s", task.subject, reason, extra={"fields": ids})
            dead_letters.bury_task(connection, trouble, try_id)
            tasks.finish(connection, task, now)

    def postpone(self, task: Task) -> None:
        """Try again in a moment, because a pass is about to do the same work; this does not count
        as a try."""
        with inbox.write_transaction(self._database, task.id) as connection:
            self._wait(connection, task, REPAIR_WAIT_SECONDS)

    def revive_lost(self) -> None:
        """Give another try to tasks whose try the engine has lost."""
        with self._database.connect() as connection:
            running = tasks.list_running(connection)
        # The rows are read before the engine's list: a try that ends between the two reads has
        # settled its task.
        living = {workflow.workflow_id for workflow in self._queue.list_living(TASK_WORKFLOW)}
        for task, try_id in running.items():
            if try_id not in living:
                with inbox.write_transaction(self._database, task.id) as connection:
                    if tasks.clear_lost_try(connection, task, try_id):
                        self._wait(connection, task, 0.0)
        with inbox.write_transaction(self._database, 0) as connection:
            tasks.delete_done(connection, self._clock())

    def _wait(self, connection: Connection, task: Task, seconds: float) -> None:
        tasks.postpone(connection, task, str(uuid4()), self._clock() + seconds)
