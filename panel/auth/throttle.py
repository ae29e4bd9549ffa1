"""The throttle: failed proofs are counted by address over all processes; too many are refused.

The one owner of the table `attempts`. An address is kept as a keyed digest, and for minutes only.
Each way of proving counts for itself: a neighbour's outdated tab must not keep anybody from
signing in. A right proof is never turned away for the count, where it can be told without asking.
"""

import hmac
import ipaddress
import logging
import time
from collections.abc import Callable
from hashlib import sha256

from sqlalchemy import BigInteger, Column, Engine, Integer, String, Table, delete, select

from panel.data.db import insert, metadata, transaction
from panel.errors import PanelError

log = logging.getLogger(__name__)

MOST_FAILURES = 10  # wrong proofs of one kind, by minute and address
MINUTE_SECONDS = 60

attempts = Table(
    "attempts",
    metadata,
    Column("who", String(32), primary_key=True),
    Column("minute", BigInteger, primary_key=True, index=True),
    Column("count", Integer, nullable=False),
)


class Throttle:
    """A database that does not answer limits nobody: that is logged, and agents go on working."""

    def __init__(self, engine: Engine, key: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._key = key.encode()
        self._clock = clock

    def blocked_until(self, way: str, address: str) -> float | None:
        """When (epoch seconds) this address is listened to again; None: now."""
        minute = int(self._clock()) // MINUTE_SECONDS
        mine = (attempts.c.who == self._digest_address(way, address)) & (
            attempts.c.minute == minute
        )
        try:
            with transaction(self._engine) as connection:
                count = connection.scalar(select(attempts.c.count).where(mine)) or 0
        except PanelError as error:
            log.warning("wrong proofs are not limited now: %s", error.code)
            return None
        return float((minute + 1) * MINUTE_SECONDS) if count >= MOST_FAILURES else None

    def record_failure(self, way: str, address: str) -> None:
        """One more wrong proof. Logged without what was brought."""
        log.warning("a wrong %s from %s", way, address or "an unknown address")
        minute = int(self._clock()) // MINUTE_SECONDS
        row = {"who": self._digest_address(way, address), "minute": minute, "count": 1}
        once_more = insert(self._engine.dialect.name, attempts).values(**row)
        once_more = once_more.on_conflict_do_update(
            index_elements=["who", "minute"], set_={"count": attempts.c.count + 1}
        )
        try:
            with transaction(self._engine) as connection:
                connection.execute(delete(attempts).where(attempts.c.minute < minute - 1))
                connection.execute(once_more)
        except PanelError as error:
            log.warning("a wrong proof was not counted: %s", error.code)

    def _digest_address(self, way: str, address: str) -> str:
        digest = hmac.new(self._key, f"{way} {_normalize_address(address)}".encode(), sha256)
        return digest.hexdigest()[:32]


def _normalize_address(address: str) -> str:
    """An IPv6 host owns its whole /64 and can change its address at will."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
