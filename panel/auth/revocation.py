"""Revocation: an agent's seals and sessions carry a generation, and end when the number is raised.

This module owns the table `agent_generations`. An agent without a row has generation 0, and so have
the seals and sessions of versions from before there were generations.
"""

import logging
import time
from collections.abc import Callable

from sqlalchemy import BigInteger, Column, Engine, Integer, Table, bindparam, select

from panel.data.db import insert, metadata, transaction
from panel.errors import PanelError

log = logging.getLogger(__name__)

UNANSWERED_SECONDS = 10.0  # the time for which a silent database is not asked again

agent_generations = Table(
    "agent_generations",
    metadata,
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("generation", Integer, nullable=False),
)
_SELECT_GENERATION = select(agent_generations.c.generation).where(
    agent_generations.c.agent == bindparam("asked")
)


class Revocations:
    """The present generations of agents. While the database is silent no generation ends: this is
    logged, and open panels go on."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._silent_until = 0.0
        self._raised: dict[int, int] = {}  # by this process: one number for each agent at most

    def find(self, agent: int) -> int | None:
        """Return the present generation; None: the database is silent."""
        if self._clock() < self._silent_until:
            return None
        try:
            with transaction(self._engine) as connection:
                return connection.scalar(_SELECT_GENERATION, {"asked": agent}) or 0
        except PanelError as error:
            # A question to a silent database may cost seconds, and every open panel asks some.
            self._silent_until = self._clock() + UNANSWERED_SECONDS
            log.warning("ended seals and sessions cannot be told now: %s", error.code)
            return None

    def has_ended(self, agent: int, generation: int) -> bool:
        """Only the present generation is valid: a restored database may have a lower one."""
        present = self.find(agent)
        if present is None:
            return self.has_ended_here(agent, generation)
        return generation != present

    def has_ended_here(self, agent: int, generation: int) -> bool:
        """Tell whether this process itself has ended the generation; the database is not asked."""
        return generation < self._raised.get(agent, 0)

    def end(self, agent: int, generation: int) -> bool:
        """End all tokens of this generation. False: the database is silent, and they end by their
        time.

        Only the present generation is raised: a second caller, or one with an older generation,
        ends nothing.
        """
        statement = insert(self._engine.dialect.name, agent_generations)
        statement = statement.values(agent=agent, generation=generation + 1).on_conflict_do_update(
            index_elements=["agent"],
            set_={"generation": generation + 1},
            where=agent_generations.c.generation == generation,
        )
        try:
            with transaction(self._engine) as connection:
                connection.execute(statement)
        except PanelError as error:
            fields = {"agent": agent, "code": error.code}
            log.warning("seals and sessions were not ended", extra={"fields": fields})
            return False
        # The number is noted after the write: a check that meanwhile read the old generation as the
        # present one has ended, too.
        self._raised[agent] = max(generation + 1, self._raised.get(agent, 0))
        return True
