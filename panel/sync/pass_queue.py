"""The client of the durable engine (DBOS Transact): its workflows, their limits, its leftovers.

Waiting passes and tasks stand in our own tables (`lanes`, `tasks`), written by the transaction that
keeps the hook. The engine is told of a pass when it begins, and carries it through a death of the
process. We do not use the engine's own queues: they serve organizations at random, take a
millisecond for each of many, and poll at the cost of a twentieth of a core.
"""

import sqlite3
from collections.abc import Collection, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from panel.data.lanes import Lane
from panel.data.tasks import NAMING, REPAIR, WARMING

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

APPLICATION, PASS_WORKFLOW, TASK_WORKFLOW = "panel", "pass", "task"
# A constant: DBOS 3.4 recovers only the work of the same application version.
VERSION = "1"
ACTIVE = ["ENQUEUED", "DELAYED", "PENDING"]
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
# Trouble with the database. The dispatcher queries SQLite past SQLAlchemy, so `sqlite3.Error` is
# among them. The engine's own errors are `Executor.failure`: to name them here would load it.
TROUBLE = (OSError, SQLAlchemyError, sqlite3.Error)
# Passes of each lane that run at once; a pass that waits for its next try does not count. So the
# slow lanes never take the place of an urgent pass.
AT_ONCE = {Lane.URGENT: 24, Lane.BACKFILL: 4, Lane.RECONCILE: 4}
# Tries of tasks that run at once. A warming asks the back office alone, so it never waits behind
# tasks that wait for a call to Chatwoot.
TASKS_AT_ONCE = {(NAMING, REPAIR): 6, (WARMING,): 3}
WARM_WORKFLOW = "warm"  # of programs from before the lanes; so are the queues
FORMER_QUEUES = ("passes", "tasks", WARM_WORKFLOW)
DELETED_AT_ONCE = 500  # finished workflows


class PassQueue:
    """Every method raises one of `TROUBLE`, or `Executor.failure`, when the database cannot be
    asked."""

    def __init__(self, database: Engine) -> None:
        self.database = database
        self.url = database.url.render_as_string(hide_password=False)

    @cached_property
    def client(self) -> "DBOSClient":
        client: DBOSClient = import_module("panel.sync.engine_client").connect(
            self.database, APPLICATION
        )
        return client

    def migrate(self) -> None:
        """Create or update the engine's own tables; many may do it at once."""
        import_module("panel.sync.engine_client").migrate(self.url)

    def list_living(self, *names: str) -> "list[WorkflowStatus]":
        """Return passes and tasks (the workflows of these names) that the engine has not ended."""
        return self._list(ACTIVE, names)

    def _list(self, states: Sequence[str], names: Collection[str]) -> "list[WorkflowStatus]":
        return self.client.list_workflows(
            status=list(states), name=list(names), load_input=False, load_output=False
        )

    def take_over(self, executor: str) -> None:
        """Resume the work that other executors began, which blocks its organization otherwise.

        Only the leader may call this, before the engine is launched: the other executors are dead
        then. The engine resumes the work of its own id by itself.
        """
        workflows = self._list(["PENDING"], (PASS_WORKFLOW, TASK_WORKFLOW))
        abandoned = [item for item in workflows if item.executor_id != executor]
        self._resume(
            [*abandoned, *(item for item in workflows if item.queue_name in FORMER_QUEUES)]
        )
        self.adopt_former()
        for name in {item.name for item in self.client.list_queues()}.intersection(FORMER_QUEUES):
            self.client.delete_queue(name)

    def adopt_former(self) -> None:
        """Resume the workflows of versions from before the lanes; a workflow without a row in our
        tables is ended."""
        former = self._list(["ENQUEUED", "DELAYED"], (PASS_WORKFLOW, TASK_WORKFLOW, WARM_WORKFLOW))
        self._resume([workflow for workflow in former if workflow.queue_name in FORMER_QUEUES])

    def _resume(self, workflows: "Sequence[WorkflowStatus]") -> None:
        """Put these workflows onto the engine's own queue."""
        if workflows:
            self.client.resume_workflows([workflow.workflow_id for workflow in workflows])

    def delete_finished(self, states: Sequence[str], before: str) -> None:
        """Forget workflows that ended in these states before an ISO moment."""
        while old := self.client.list_workflows(
            status=list(states),
            completed_before=before,
            limit=DELETED_AT_ONCE,
            load_input=False,
            load_output=False,
        ):
            self.client.delete_workflows([workflow.workflow_id for workflow in old])

    def delete_finished_of(self, organization: int) -> int:
        """Forget the passes of an organization that have ended; returns their number."""
        workflows = self.client.list_workflows(
            status=ENDED, name=[PASS_WORKFLOW], load_input=True, load_output=False
        )
        ids = [workflow.workflow_id for workflow in workflows if _is_about(workflow, organization)]
        if ids:
            self.client.delete_workflows(ids)
        return len(ids)


def _is_about(workflow: "WorkflowStatus", organization: int) -> bool:
    arguments: Any = workflow.input or {}
    return list(arguments.get("args", ())) == [organization]
