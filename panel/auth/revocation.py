"""Revocation: an agent's seals and sessions carry a generation, and end when that is raised.

The one owner of the table `agent_generations`. An agent without a row is of generation 0.
"""

from sqlalchemy import BigInteger, Column, Integer, Table

from panel.data.db import metadata

agent_generations = Table(
    "agent_generations",
    metadata,
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("generation", Integer, nullable=False),
)
