"""The durable queues (DBOS Transact) as seen from outside: enqueue, look, run again.

The one of passes is partitioned by organization: at most one pass of it runs and one waits.
Every process may enqueue; only the `worker` executes.
"""

from collections.abc import Iterable, Sequence
from uuid import uuid4

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus
from dbos import error as dbos_errors
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from panel.data import inbox
from panel.data.tasks import NAMING, REPAIR, Task

APPLICATION, PASS_QUEUE, PASS_WORKFLOW = "panel", "passes", "pass"
WARM_QUEUE = "warm"
TASK_QUEUE, TASK_WORKFLOW = "tasks", "task"
TASKS_AT_ONCE = 4
TASK_PRIORITIES = {NAMING: 1, REPAIR: 2}  # the lower number first
# A constant, never computed: work that another version began would be left lying (dependencies
# §1.5, trap 4).
VERSION = "1"
ACTIVE = ["ENQUEUED", "DELAYED", "PENDING"]
TROUBLE = (OSError, SQLAlchemyError, dbos_errors.DBOSException)
AT_ONCE = 16  # passes that run at once; one that waits for its next try is none of them
QUEUE_POLL_SECONDS = 0.4
TASK_POLL_SECONDS = 1.0
DELETED_AT_ONCE = 500  # finished workflows


class PassQueue:
    """Every method raises one of `TROUBLE` when the database cannot be asked."""

    def __init__(self, database: Engine) -> None:
        self.database = database
        self.url = database.url.render_as_string(hide_password=False)
        self.client = DBOSClient(
            system_database_engine=database,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,  # a hook is answered with 503 rather than kept waiting
            lazy=True,
        )

    def migrate(self) -> None:
        """Create or update the queue's own tables; many may do it at once."""
        DBOS.migrate(self.url)

    def enqueue_passes(self, connection: Connection, organizations: Iterable[int | None]) -> None:
        """One pass for each organization that has none waiting."""
        wanted = {each: str(uuid4()) for each in organizations if each}
        for organization in inbox.mark_waiting(connection, wanted):
            self._enqueue(connection, organization, wanted[organization])

    def enqueue_next(
        self, connection: Connection, organization: int, delay: float | None = None
    ) -> None:
        """A further pass in place of the one that waits; `delay`: seconds until it may start."""
        pass_id = str(uuid4())
        inbox.postpone_pass(connection, organization, pass_id)
        self._enqueue(connection, organization, pass_id, delay)

    def _enqueue(
        self, connection: Connection, organization: int, pass_id: str, delay: float | None = None
    ) -> None:
        options: EnqueueOptions = {
            "workflow_name": PASS_WORKFLOW,
            "workflow_id": pass_id,
            "queue_name": PASS_QUEUE,
            "queue_partition_key": str(organization),
            "app_version": VERSION,
        }
        if delay is not None:
            options["delay_seconds"] = delay
        self.client.enqueue_in_transaction(connection, options, organization)

    def enqueue_warming(self, connection: Connection, organization: int, workflow_id: str) -> None:
        """Have the worker bring the kept copies up to date; an id that was used does nothing."""
        options: EnqueueOptions = {
            "workflow_name": WARM_QUEUE,
            "workflow_id": workflow_id,
            "queue_name": WARM_QUEUE,
            "app_version": VERSION,
        }
        self.client.enqueue_in_transaction(connection, options, organization)

    def enqueue_task(
        self, connection: Connection, task: Task, try_id: str, delay: float = 0.0
    ) -> None:
        """One try of a task; `delay`: seconds until it may start."""
        options: EnqueueOptions = {
            "workflow_name": TASK_WORKFLOW,
            "workflow_id": try_id,
            "queue_name": TASK_QUEUE,
            "app_version": VERSION,
            "priority": TASK_PRIORITIES[task.kind],
        }
        if delay:
            options["delay_seconds"] = delay
        self.client.enqueue_in_transaction(connection, options, task.kind, task.number)

    def list_tasks(self, states: Sequence[str]) -> list[WorkflowStatus]:
        """Tries of tasks in these states of the engine."""
        return self.client.list_workflows(
            status=list(states), name=TASK_WORKFLOW, load_input=False, load_output=False
        )

    def list_passes(self, states: Sequence[str]) -> list[WorkflowStatus]:
        """Passes in these states of the engine."""
        return self.client.list_workflows(
            status=list(states), name=PASS_WORKFLOW, load_input=False, load_output=False
        )

    def rewind(self, organization: int, pass_id: str) -> bool:
        """Run a pass again that has ended; False when it is gone, or about to end."""
        # Not `resume`: to a workflow that has ended it does nothing, and says nothing (trap 8).
        key = str(organization)
        try:
            self.client.rewind_workflow(pass_id, queue_name=PASS_QUEUE, queue_partition_key=key)
        except dbos_errors.DBOSException:
            return False
        return True

    def register_queues(self) -> None:
        """Tell the engine of the queues, before it is launched."""
        self.client.register_queue(
            PASS_QUEUE,
            partition_concurrency=1,
            worker_concurrency=AT_ONCE,
            polling_interval_sec=QUEUE_POLL_SECONDS,
        )
        self.client.register_queue(
            TASK_QUEUE,
            worker_concurrency=TASKS_AT_ONCE,
            polling_interval_sec=TASK_POLL_SECONDS,
        )
        self.client.register_queue(
            WARM_QUEUE, worker_concurrency=AT_ONCE // 4, polling_interval_sec=1.0
        )

    def take_over(self, executor: str) -> None:
        """Free the passes that other executors began, which block their organizations (trap 3).

        Only the leader may call this: the other executors are dead then. Those of its own id the
        engine takes up by itself.
        """
        for queue, running in (
            (PASS_QUEUE, self.list_passes(["PENDING"])),
            (TASK_QUEUE, self.list_tasks(["PENDING"])),
        ):
            left = [each.workflow_id for each in running if each.executor_id != executor]
            if left:
                self.client.resume_workflows(left, queue_name=queue)

    def delete_finished(self, states: Sequence[str], before: str) -> None:
        """Forget workflows that ended in these states before an ISO moment."""
        while old := self.client.list_workflows(
            status=list(states),
            completed_before=before,
            limit=DELETED_AT_ONCE,
            load_input=False,
            load_output=False,
        ):
            self.client.delete_workflows([each.workflow_id for each in old])
