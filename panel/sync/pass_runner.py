"""The tries of passes: begins a try, and settles its outcome. The `executor` calls both as durable
steps."""

import logging
from collections.abc import Callable, Sequence
from uuid import uuid4

from sqlalchemy import Connection, Engine

from panel.data import inbox, lanes, pass_states
from panel.data.lanes import Lane, LanePlace
from panel.sync.pass_queue import PASS_WORKFLOW, PassQueue
from panel.sync.tries import TryOutcome, find_delay

log = logging.getLogger(__name__)


class PassRunner:
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

    def begin(self, organization: int, pass_id: str) -> list[int]:
        """Begin a pass, as `pass_states.begin_pass`; returns an empty list when another pass has
        taken its place."""
        with inbox.write_transaction(self._database, organization) as connection:
            return list(pass_states.begin_pass(connection, organization, pass_id) or ())

    def settle(
        self, organization: int, pass_id: str, sequences: list[int], outcome: TryOutcome
    ) -> str:
        """Note the outcome of a try; returns why the pass was buried, or ""."""
        through, first = sequences
        reason, now = outcome["reason"], self._clock()
        # An older program may have ended the try before this one settles it.
        side = outcome.get("side", "")
        with inbox.write_transaction(self._database, organization) as connection:
            if not reason:
                pass_states.finish_pass(connection, organization, through, now, pass_id)
                return ""
            if outcome["later"] and self._try_again(connection, organization, outcome):
                return ""
            # Only the hooks that waited at the first try have had all tries. Younger hooks get
            # tries of their own.
            ids = {"organization": organization}
            log.warning("organization %s: buried: %s", organization, reason, extra={"fields": ids})
            # Later hooks keep their place in the lane, or get back the place that this pass took.
            if pass_states.bury_hooks(connection, organization, first, reason, pass_id, now, side):
                self._take_place(connection, organization)
            return reason

    def _try_again(self, connection: Connection, organization: int, outcome: TryOutcome) -> bool:
        reason, side, now = outcome["reason"], outcome.get("side", ""), self._clock()
        if outcome.get("progressed"):
            pass_states.forget_tries(connection, [organization])
        tries = pass_states.count_failure(connection, organization, reason, side, now)
        delay = find_delay(self._waits, tries, outcome["retry_at"], now)
        if delay is None:
            return False
        pass_states.postpone_pass(connection, organization, str(uuid4()), now + delay)
        return True

    def bury_lost(self) -> None:
        """Bury the hooks of a pass that was cancelled, or that ended its process again and
        again."""
        with self._database.connect() as connection:
            running = pass_states.list_running(connection)
        # The rows are read before the engine's list: a pass that ends between the two reads has
        # settled its row.
        living = {workflow.workflow_id for workflow in self._queue.list_living(PASS_WORKFLOW)}
        for organization, pass_id in running.items():
            if pass_id not in living:
                self._bury(organization, pass_id)
        with self._database.connect() as connection:
            organizations = pass_states.list_forgotten(connection)
        for organization in organizations:
            with inbox.write_transaction(self._database, organization) as connection:
                self._take_place(connection, organization)

    def _bury(self, organization: int, pass_id: str) -> None:
        with inbox.write_transaction(self._database, organization) as connection:
            if pass_states.clear_lost_pass(connection, organization, pass_id):
                last, now = inbox.find_last_waiting(connection, organization), self._clock()
                pass_states.bury_hooks(
                    connection, organization, last, "lost its pass", pass_id, now
                )

    def _take_place(self, connection: Connection, organization: int) -> None:
        if last := inbox.find_last_waiting(connection, organization):
            place = LanePlace(organization, str(uuid4()), Lane.URGENT, last)
            lanes.take_places(connection, [place], self._clock())
