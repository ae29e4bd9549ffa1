"""The throttle: counts limited actions by the minute, over all processes.

This module owns the table `attempts`. The actor is stored as a keyed digest, and for minutes only.
Each limit has a count of its own: a neighbour's outdated tab must not keep an agent from signing
in. A right proof that can be checked without a call is never refused because of a count.
"""

import hmac
import ipaddress
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import BigInteger, Column, Engine, Integer, String, Table, delete, select

from panel.cache.ttl_cache import TtlCache
from panel.data.db import insert, metadata, transaction
from panel.errors import PanelError
from panel.logs.events import LogThrottle

log = logging.getLogger(__name__)

MOST_FAILURES = 10  # wrong proofs of one kind, by minute and address
MOST_FAILURES_OF_ALL = 60
MOST_FAILURES_IN_ALL = 240  # of proofs that cost a call to Chatwoot, by minute, over all senders
MINUTE_SECONDS = 60
MOST_BLOCKED = 4096  # remembered at once by this process
# Some load balancers write an address with the port that the client had.
WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")

attempts = Table(
    "attempts",
    metadata,
    Column("who", String(32), primary_key=True),
    Column("minute", BigInteger, primary_key=True, index=True),
    Column("count", Integer, nullable=False),
)


@dataclass(frozen=True)
class Limit:
    """`most`: the number of times a minute for each actor."""

    name: str
    most: int


SEARCHES = Limit("search", 60)  # by agent; while an agent types, each customer takes a few
UNKNOWN_IDS = Limit("unknown id", 20)  # by agent: each costs the back office a call


def limit_failures(way: str) -> Limit:
    """Return the limit of wrong proofs by this way of proving."""
    return Limit(way, MOST_FAILURES)


def limit_all_failures(way: str) -> Limit:
    """Return the limit over all claimed agents: a proof may claim another agent each time."""
    return Limit(f"{way} of anybody", MOST_FAILURES_OF_ALL)


def limit_costly_failures(way: str) -> Limit:
    """Return the limit of wrong proofs that cost a call, over all addresses. One guesser may have
    many addresses."""
    return Limit(f"{way} in all", MOST_FAILURES_IN_ALL)


class Throttle:
    """Counts actions. While the database is silent there is no limit: this is logged, and agents go
    on working."""

    def __init__(self, engine: Engine, key: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._key = key.encode()
        self._clock = clock
        self._blocked = TtlCache[float](MOST_BLOCKED, clock)
        self._events = LogThrottle()

    def blocked_until(self, limit: Limit, actor: str) -> float | None:
        """Return the end of the block (epoch seconds); None: the actor is not blocked."""
        minute = int(self._clock()) // MINUTE_SECONDS
        is_actor = (attempts.c.who == self._digest(limit, actor)) & (attempts.c.minute == minute)
        try:
            with transaction(self._engine) as connection:
                count = connection.scalar(select(attempts.c.count).where(is_actor)) or 0
        except PanelError as error:
            self._events.record(log.warning, f"{limit.name}: not limited now", code=error.code)
            return None
        return float((minute + 1) * MINUTE_SECONDS) if count >= limit.most else None

    def blocked_here_until(self, limit: Limit, actor: str) -> float | None:
        """Like `blocked_until`, from this process's own count: the database is not asked. So a
        guess beyond the limit gets at most one more answer from each process.
        """
        return self._blocked.get(self._digest(limit, actor))

    def count(self, limit: Limit, actor: str) -> float | None:
        """Count once more; returns the end of the block (epoch seconds), None within the limit."""
        minute, digest = int(self._clock()) // MINUTE_SECONDS, self._digest(limit, actor)
        row = {"who": digest, "minute": minute, "count": 1}
        once_more = insert(self._engine.dialect.name, attempts).values(**row)
        once_more = once_more.on_conflict_do_update(
            index_elements=["who", "minute"], set_={"count": attempts.c.count + 1}
        )
        try:
            with transaction(self._engine) as connection:
                connection.execute(delete(attempts).where(attempts.c.minute < minute - 1))
                total = connection.scalar(once_more.returning(attempts.c.count))
        except PanelError as error:
            self._events.record(log.warning, f"{limit.name}: not counted", code=error.code)
            return None
        if total <= limit.most:
            return None
        until = float((minute + 1) * MINUTE_SECONDS)
        self._blocked.put(digest, until, until)
        return until

    def record_failure(self, way: str, address: str, claimed_agent: str = "") -> None:
        """Count and log a wrong proof, without the credential.

        `claimed_agent`: the agent that the proof names.
        """
        words = f"a wrong {way} from {address or 'an unknown address'}"
        self._events.record(log.warning, words, code="wrong_proof")
        self.count(limit_failures(way), f"{address} {claimed_agent}".rstrip())
        if claimed_agent:
            self.count(limit_all_failures(way), address)

    def _digest(self, limit: Limit, actor: str) -> str:
        digest = hmac.new(self._key, f"{limit.name} {actor}".encode(), sha256)
        return digest.hexdigest()[:32]


def normalize_address(address: str) -> str:
    """Return the key under which wrong proofs of an address are counted: an IPv6 host owns its
    whole /64 and can change its address at will, and every connection has a port of its own."""
    with_port = WITH_PORT.fullmatch(address)
    try:
        host = ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else address)
    except ValueError:
        return ""
    if isinstance(host, ipaddress.IPv6Address) and not host.ipv4_mapped:
        return str(ipaddress.ip_network((host, 64), strict=False))
    return str(host)
