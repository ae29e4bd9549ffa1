"""The durable engine (DBOS Transact) as seen from outside: what it runs, and what it still keeps.

What waits stands in our own tables (`lanes`, `tasks`), in the transaction that keeps the hook; the
engine hears of a pass when it begins, and carries it through a death of the process. Its own queues
serve the organizations at random, take a millisecond for each of many, and look by a clock that
costs a twentieth of a core.
"""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, WorkflowStatus
from dbos import error as dbos_errors
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from panel.data.lanes import Lane
from panel.data.tasks import NAMING, REPAIR, WARMING

APPLICATION, PASS_WORKFLOW, TASK_WORKFLOW = "panel", "pass", "task"
# A constant, never computed: DBOS 3.4 leaves work lying that another version began.
VERSION = "1"
ACTIVE = ["ENQUEUED", "DELAYED", "PENDING"]
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
# The last: of a question past SQLAlchemy (`dispatcher`).
TROUBLE = (OSError, SQLAlchemyError, dbos_errors.DBOSException, sqlite3.Error)
# Passes of each lane that run at once; one that waits for its next try is none of them. So the slow
# lanes never hold the place of what somebody waits for.
AT_ONCE = {Lane.URGENT: 24, Lane.BACKFILL: 4, Lane.RECONCILE: 4}
# Tries of tasks that run at once. A warming asks the back office alone: it never stands behind
# those that wait for a call to Chatwoot.
TASKS_AT_ONCE = {(NAMING, REPAIR): 6, (WARMING,): 3}
WARM_WORKFLOW = "warm"  # of programs before the lanes, as are the queues
FORMER_QUEUES = ("passes", "tasks", WARM_WORKFLOW)
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
            retry_connection_errors=False,
            lazy=True,
        )

    def migrate(self) -> None:
        """Create or update the engine's own tables; many may do it at once."""
        DBOS.migrate(self.url)

    def list_living(self, *names: str) -> list[WorkflowStatus]:
        """Passes and tasks (the workflows of these names) that the engine has to end yet."""
        return self._list(ACTIVE, names)

    def _list(self, states: Sequence[str], names: Collection[str]) -> list[WorkflowStatus]:
        return self.client.list_workflows(
            status=list(states), name=list(names), load_input=False, load_output=False
        )

    def take_over(self, executor: str) -> None:
        """See that what other executors began is done, which else blocks its organization (trap 3).

        Only the leader may call this, before the engine is launched: the other executors are dead
        then. What it began under its own id the engine takes up by itself.
        """
        begun = self._list(["PENDING"], (PASS_WORKFLOW, TASK_WORKFLOW))
        left = [each for each in begun if each.executor_id != executor]
        self._resume([*left, *(each for each in begun if each.queue_name in FORMER_QUEUES)])
        self.adopt_former()
        for name in {each.name for each in self.client.list_queues()}.intersection(FORMER_QUEUES):
            self.client.delete_queue(name)

    def adopt_former(self) -> None:
        """What programs before the lanes have enqueued; it finds its row in our tables, or ends."""
        former = self._list(["ENQUEUED", "DELAYED"], (PASS_WORKFLOW, TASK_WORKFLOW, WARM_WORKFLOW))
        self._resume([each for each in former if each.queue_name in FORMER_QUEUES])

    def _resume(self, workflows: Sequence[WorkflowStatus]) -> None:
        """On the engine's own queue."""
        if workflows:
            self.client.resume_workflows([each.workflow_id for each in workflows])

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

    def delete_finished_of(self, organization: int) -> int:
        """Forget the passes of an organization that have ended; returns how many."""
        ended = self.client.list_workflows(
            status=ENDED, name=[PASS_WORKFLOW], load_input=True, load_output=False
        )
        found = [each.workflow_id for each in ended if _is_about(each, organization)]
        if found:
            self.client.delete_workflows(found)
        return len(found)


def _is_about(workflow: WorkflowStatus, organization: int) -> bool:
    given: Any = workflow.input or {}
    return list(given.get("args", ())) == [organization]
