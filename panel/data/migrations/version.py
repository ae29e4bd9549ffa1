"""The version of a database's schema, and whether this program may run on it.

Alembic's own table `alembic_version` has the number of the newest revision, and our one row of
`compatibility` the oldest program that may still run. An old program reads both without knowing
the new revisions.
"""

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Integer, MetaData, Table, delete, inspect, select, text

SCHEMA = 11  # of this program: its newest revision
VERSION_TABLE = "alembic_version"

compatibility = Table(
    "compatibility",
    MetaData(),  # not `db.metadata`, which has the tables that revisions make
    Column("oldest_code", Integer, primary_key=True, autoincrement=False),
)


class WrongSchema(Exception):
    """The program cannot run on this database; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class Version:
    """`schema`: the newest revision, 0 before the first; `oldest_code`: the schema of the oldest
    program that may still run."""

    schema: int = 0
    oldest_code: int = 0


def read_version(connection: Connection) -> Version:
    """Read the database's version. Raises `WrongSchema` when the version is none of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return Version()
    number = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 (ours)
    if number is None:
        return Version()
    if not str(number).isdecimal():
        raise WrongSchema(f"The database belongs to another program: its version is {number!r}.")
    return Version(int(number), connection.scalar(select(compatibility.c.oldest_code)) or 0)


def write_oldest_code(connection: Connection, oldest_code: int) -> None:
    """Write the oldest program's schema, in the transaction of the upgrade."""
    compatibility.create(connection, checkfirst=True)
    connection.execute(delete(compatibility))
    connection.execute(compatibility.insert(), {"oldest_code": oldest_code})


def refuse_newer(version: Version) -> None:
    """Raises `WrongSchema` when the database has left this program behind."""
    if version.oldest_code > SCHEMA:
        raise WrongSchema(
            f"The database is too new for this program (its schema is {version.schema}, "
            f"which needs a program of schema {version.oldest_code}; this one has {SCHEMA}): "
            "start the newer program, or restore the backup made before the upgrade."
        )


def refuse_older(version: Version) -> None:
    """Raises `WrongSchema` when the database waits for its upgrade."""
    if version.schema < SCHEMA:
        raise WrongSchema(
            f"The database is not up to date (its schema is {version.schema}, this program's "
            f"{SCHEMA}): start the panel or the worker once; it upgrades the database."
        )
