"""The client of the durable engine (DBOS Transact). `PassQueue` loads this module when it first
needs the engine: most commands do not, and it costs them a quarter of a second."""

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy import Engine


def connect(database: Engine, application: str) -> DBOSClient:
    return DBOSClient(
        system_database_engine=database,
        serializer=DBOSPortableJSONSerializer(),
        application_name=application,
        retry_connection_errors=False,
        lazy=True,
    )


def migrate(url: str) -> None:
    """Create or update the engine's own tables; many may do it at once."""
    DBOS.migrate(url)
