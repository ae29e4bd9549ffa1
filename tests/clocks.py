"""A clock that a test moves, the services that run on it, and waiting for a condition."""

import time
from collections.abc import Callable
from dataclasses import replace

from flask import Flask
from flask_caching import Cache as FlaskCache

from panel.auth.access import Access
from panel.auth.background_checks import BackgroundChecks
from panel.auth.revocation import Revocations
from panel.auth.throttle import Throttle
from panel.auth.tokens import Seals
from panel.bulkhead import Bulkhead
from panel.cache.backend import CacheBackend
from panel.cache.policy import Cache
from panel.locks import ThreadLocks
from panel.services import Services, get
from panel.upstream.chatwoot import Chatwoot as ChatwootClient
from panel.upstream.chatwoot import connect
from panel.upstream.circuit_breaker import CircuitBreaker
from panel.upstream.client import Client
from panel.upstream.failures import FailureLog
from panel.upstream.middag import BackOffice as BackOfficeClient

LONGEST_PAUSE = 0.25  # seconds between two looks for a condition


class Clock:
    """A clock that a test moves: seconds since the epoch."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll until the condition holds; fails when it does not within the deadline.

    The pause is as long as the look was, because looks keep a busy process busy.
    """
    end = time.monotonic() + seconds
    started_at = time.monotonic()
    while not condition():
        now = time.monotonic()
        assert now < end, "waited in vain"
        time.sleep(min(max(0.01, now - started_at), LONGEST_PAUSE))
        started_at = time.monotonic()


def with_clock(app: Flask, clock: Clock) -> Services:
    """Return the services over a cache in memory with another clock, and a breaker that never
    opens."""
    built = get(Services, app)
    settings = built.settings
    backend = FlaskCache(app, config={"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 100_000})
    bulkhead = Bulkhead(threads=300)
    kept_copies = Cache(CacheBackend(backend, clock), ThreadLocks(), clock, bulkhead)
    headers = {"Authorization": f"Bearer {settings.secret}"}
    office = Client(settings.middag_api_url, headers)
    office.breaker = CircuitBreaker(limit=10_000, own_limit=10_000)
    chatwoot = connect(settings.chatwoot_url, settings.chatwoot_api_token)
    account = ChatwootClient(chatwoot, kept_copies, settings.chatwoot_account_id)
    revocations = Revocations(built.database, clock)
    checks = BackgroundChecks(bulkhead)
    access = Access(settings, account, checks)
    return replace(
        built,
        bulkhead=bulkhead,
        cache=kept_copies,
        back_office=BackOfficeClient(
            office, kept_copies, settings.integer_money, FailureLog(clock)
        ),
        chatwoot=account,
        access=access,
        seals=Seals(settings, account, access, checks, revocations, built.verifications, clock),
        authenticator=replace(
            built.authenticator,
            chatwoot=account,
            cache=kept_copies,
            attempts=Throttle(built.database, settings.secret, clock),
            revocations=revocations,
        ),
    )
