"""The shared objects: built once per process, and found by their class."""

import time
from dataclasses import dataclass
from typing import TypeVar, cast

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

MOST_RENDERED = 256  # drawn sections, each kept for a second
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


def build(settings: Settings, app: Flask) -> Services:
    both = f"{settings.chatwoot_url} {settings.chatwoot_account_id} {settings.middag_api_url}"
    store, locks = backend.connect(settings.cache_url, app, whose=both, clock=time.time)
    bulkhead = Bulkhead()
    cache = Cache(store, locks, time.time, bulkhead)
    engine = db.connect(settings.database_url)
    to_office = Egress(settings.certificates, settings.middag_proxy)
    to_chatwoot = Egress(settings.certificates, settings.chatwoot_proxy)
    bearer = {"Authorization": f"Bearer {settings.secret}"}
    office = Client(settings.middag_api_url, bearer, egress=to_office)
    chatwoot = connect(settings.chatwoot_url, settings.chatwoot_api_token, egress=to_chatwoot)
    # This client sends no token: with ours, Chatwoot would take every stranger for us.
    anonymous = connect(settings.chatwoot_url, egress=to_chatwoot)
    rotation = SecretRotation(settings.secrets, settings.middag_api_url)
    failures = FailureLog()
    log_engine = db.connect_without_sync(engine)
    revocations = Revocations(engine)
    checks = BackgroundChecks(bulkhead)
    account = Chatwoot(chatwoot, cache, settings.chatwoot_account_id, failures, bulkhead)
    access = Access(settings, account, checks)
    verifications = Verifications(engine)
    return Services(
        settings=settings,
        bulkhead=bulkhead,
        locks=locks,
        cache=cache,
        database=engine,
        back_office=BackOffice(office, cache, settings.integer_money, failures, rotation),
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
        authenticator=Authenticator(
            settings,
            account,
            cache,
            Sessions(settings),
            Profiles(anonymous, settings.chatwoot_account_id, bulkhead),
            Throttle(engine, settings.secret),
            revocations,
        ),
        checks=checks,
        rendered=TtlCache(MOST_RENDERED),
    )


def register(app: Flask, *shared: object) -> None:
    """Let `get` find these objects, each by its class."""
    shared_objects = app.extensions.setdefault("panel", {})
    shared_objects.update({type(each): each for each in shared})


def get(kind: type[T], app: Flask | None = None) -> T:
    """Return the shared object of this class; without `app`, that of the current application."""
    return cast(T, (app or current_app).extensions["panel"][kind])


def services() -> Services:
    """Return the shared objects of the current application."""
    return get(Services)
