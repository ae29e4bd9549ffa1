"""The hourly sweep: removes old rows, buries the hooks of lost passes, and tries lost tasks
again."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine

from panel.data import inbox
from panel.data.inbox import DAY_SECONDS, IDS_DAYS
from panel.sync.pass_queue import PassQueue
from panel.sync.pass_runner import PassRunner
from panel.sync.task_runner import TaskRunner

FAILED = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Sweep:
    """Only the leader runs this. `keep_days`: how long finished hooks are kept."""

    def __init__(
        self,
        database: Engine,
        queue: PassQueue,
        passes: PassRunner,
        tasks: TaskRunner,
        keep_days: int,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._queue = queue
        self._passes = passes
        self._tasks = tasks
        self._keep_days = keep_days
        self._clock = clock

    def run(self) -> None:
        """Sweep our own tables, then the engine's."""
        self._passes.bury_lost()
        self._tasks.revive_lost()
        self._queue.adopt_former()
        now, more = self._clock(), True
        while more:
            with inbox.write_transaction(self._database, 0) as connection:
                more = inbox.delete_old_hooks(connection, self._keep_days, now)
        # Successful workflows are deleted after a day: our own tables are the record.
        self._queue.delete_finished(["SUCCESS"], _format_time(now - DAY_SECONDS))
        age = max(self._keep_days, IDS_DAYS) * DAY_SECONDS
        self._queue.delete_finished(FAILED, _format_time(now - age))


def _format_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()
