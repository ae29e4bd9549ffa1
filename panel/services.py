"""The shared objects, built once per process and found by everyone who serves a request."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from markupsafe import Markup
from sqlalchemy import Engine

from panel import cache, db
from panel.access import Access
from panel.attempts import Attempts
from panel.audit import Audit
from panel.cache import Cache
from panel.chatwoot import Chatwoot
from panel.directory import Directory
from panel.http import Client
from panel.links import Links
from panel.memory import Memory
from panel.middag import BackOffice
from panel.profiles import Profiles
from panel.proofs import Proofs
from panel.sessions import Sessions
from panel.settings import Settings
from panel.terms import Terms

MOST_DRAWN = 256  # sections, for a second


@dataclass(frozen=True)
class Services:
    settings: Settings
    cache: Cache
    engine: Engine
    office: BackOffice
    chatwoot: Chatwoot
    links: Links
    directory: Directory
    terms: Terms
    audit: Audit
    access: Access
    proofs: Proofs
    drawn: Memory[Markup]


def build(settings: Settings, app: Flask) -> Services:
    both = f"{settings.chatwoot_url} {settings.chatwoot_account_id} {settings.middag_api_url}"
    kept = cache.build(settings.cache_url, app, whose=both)
    engine = db.connect(settings.database_url)
    office = Client(settings.middag_api_url, {"Authorization": f"Bearer {settings.secret}"})
    chatwoot = Client(settings.chatwoot_url, Chatwoot.headers(settings.chatwoot_api_token))
    account = Chatwoot(chatwoot, kept, settings.chatwoot_account_id)
    return Services(
        settings=settings,
        cache=kept,
        engine=engine,
        office=BackOffice(office, kept, settings.integer_money),
        chatwoot=account,
        links=Links(engine),
        directory=Directory(engine),
        terms=Terms(engine),
        audit=Audit(db.hasty(engine)),
        access=Access(settings, account),
        proofs=Proofs(
            settings,
            account,
            kept,
            Sessions(settings),
            # Without our token: with it, Chatwoot would answer that every stranger is us.
            Profiles(Client(settings.chatwoot_url, {}), settings.chatwoot_account_id),
            Attempts(engine, settings.secret),
        ),
        drawn=Memory(MOST_DRAWN),
    )


def services() -> Services:
    """Those of the application that serves this request."""
    return cast(Services, current_app.extensions["panel"])
