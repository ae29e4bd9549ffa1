"""The shared objects: built once per process, and found by their class."""

import time
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from flask import Flask, current_app
from markupsafe import Markup
from sqlalchemy import Engine

from panel.auth.access import Access
from panel.auth.background_checks import BackgroundChecks
from panel.auth.methods import Authenticator
from panel.auth.revocation import Revocations
from panel.auth.sessions import Sessions
from panel.auth.throttle import Throttle
from panel.auth.tokens import Seals
from panel.auth.whoami import Profiles
from panel.bulkhead import Bulkhead
from panel.cache import backend
from panel.cache.policy import Cache
from panel.cache.ttl_cache import TtlCache
from panel.data import db
from panel.data.audit_log import AuditLog
from panel.data.delivery_log import DeliveryLog
from panel.data.directory import Directory
from panel.data.links import Links
from panel.data.notes import PrivateNotes
from panel.data.preferences import Preferences
from panel.data.search_index import SearchIndex
from panel.data.verification_tries import VerificationTries
from panel.data.verifications import Verifications
from panel.locks import Locks
from panel.settings import Settings
from panel.upstream.chatwoot import Chatwoot, connect
from panel.upstream.client import Client
from panel.upstream.failures import FailureLog
from panel.upstream.middag import BackOffice
from panel.upstream.rotation import SecretRotation
from panel.upstream.transport import Egress

MOST_RENDERED = 256  # drawn sections, each kept for a second; their records and bytes as well
MOST_LEARNED = 256  # organizations whose words were added to the search a moment ago
T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """The shared objects of both wings."""

    settings: Settings
    bulkhead: Bulkhead
    locks: Locks
    cache: Cache
    database: Engine
    back_office: BackOffice
    chatwoot: Chatwoot
    links: Links
    directory: Directory
    search_index: SearchIndex
    audit_log: AuditLog
    notes: PrivateNotes
    preferences: Preferences
    verifications: Verifications
    tries: VerificationTries
    deliveries: DeliveryLog
    access: Access
    seals: Seals
    authenticator: Authenticator
    checks: BackgroundChecks
    rendered: TtlCache[Markup]
    selections: TtlCache[tuple[Any, Any]]
    compressed: TtlCache[bytes]
    learned: TtlCache[str]


def build(settings: Settings, app: Flask) -> Services:
    both = f"{settings.chatwoot_url} {settings.chatwoot_account_id} {settings.middag_api_url}"
    store, locks = backend.connect(settings.cache_url, app, whose=both, clock=time.time)
    bulkhead = Bulkhead()
    cache = Cache(store, locks, time.time, bulkhead)
    engine = db.connect(settings.database_url)
    log_engine = db.connect_without_sync(engine)
    failures = FailureLog()
    revocations, verifications = Revocations(engine), Verifications(engine)
    account = _build_account(settings, cache, failures, bulkhead)
    checks = BackgroundChecks(bulkhead)
    access = Access(settings, account, checks)
    return Services(
        settings=settings,
        bulkhead=bulkhead,
        locks=locks,
        cache=cache,
        database=engine,
        back_office=_build_back_office(settings, cache, failures),
        chatwoot=account,
        links=Links(engine),
        directory=Directory(engine),
        search_index=SearchIndex(engine),
        audit_log=AuditLog(log_engine),
        notes=PrivateNotes(engine),
        preferences=Preferences(engine),
        verifications=verifications,
        tries=VerificationTries(engine),
        deliveries=DeliveryLog(log_engine),
        access=access,
        seals=Seals(settings, account, access, checks, revocations, verifications),
        authenticator=_build_authenticator(settings, account, cache, engine, revocations, bulkhead),
        checks=checks,
        rendered=TtlCache(MOST_RENDERED),
        selections=TtlCache(MOST_RENDERED),
        compressed=TtlCache(MOST_RENDERED),
        learned=TtlCache(MOST_LEARNED),
    )


def _build_back_office(settings: Settings, cache: Cache, failures: FailureLog) -> BackOffice:
    egress = Egress(settings.certificates, settings.middag_proxy)
    bearer = {"Authorization": f"Bearer {settings.secret}"}
    client = Client(settings.middag_api_url, bearer, egress=egress)
    rotation = SecretRotation(settings.secrets, settings.middag_api_url)
    return BackOffice(client, cache, settings.integer_money, failures, rotation)


def _build_account(
    settings: Settings, cache: Cache, failures: FailureLog, bulkhead: Bulkhead
) -> Chatwoot:
    egress = Egress(settings.certificates, settings.chatwoot_proxy)
    client = connect(settings.chatwoot_url, settings.chatwoot_api_token, egress=egress)
    return Chatwoot(client, cache, settings.chatwoot_account_id, failures, bulkhead)


def _build_authenticator(
    settings: Settings,
    account: Chatwoot,
    cache: Cache,
    engine: Engine,
    revocations: Revocations,
    bulkhead: Bulkhead,
) -> Authenticator:
    # This client sends no token: with ours, Chatwoot would take every stranger for us.
    egress = Egress(settings.certificates, settings.chatwoot_proxy)
    anonymous = connect(settings.chatwoot_url, egress=egress)
    profiles = Profiles(anonymous, settings.chatwoot_account_id, bulkhead)
    throttle = Throttle(engine, settings.secret)
    return Authenticator(
        settings, account, cache, Sessions(settings), profiles, throttle, revocations
    )


def register(app: Flask, *shared: object) -> None:
    """Let `get` find these objects, each by its class."""
    objects = app.extensions.setdefault("panel", {})
    objects.update({type(item): item for item in shared})


def get(kind: type[T], app: Flask | None = None) -> T:
    """Return the shared object of this class; without `app`, that of the current application."""
    return cast(T, (app or current_app).extensions["panel"][kind])


def services() -> Services:
    """Return the shared objects of the current application."""
    return get(Services)
