"""What the engine runs: passes with everything they need, and the look at all organizations.

Also the rehearsal: a pass whose writes to Chatwoot are noted instead of sent, over a copy of our
own tables. What a rehearsal notes is exactly what a pass would do, because it is one.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from panel.cache.policy import CacheControl
from panel.data import inbox
from panel.data.db import metadata, transaction
from panel.data.directory import Directory, organizations, people
from panel.data.links import Links, links
from panel.data.search_index import SearchIndex, terms
from panel.errors import Missing, PanelError
from panel.locks import ThreadLocks
from panel.services import Services
from panel.sync.events import find_kind
from panel.sync.intake import Intake
from panel.sync.rate_limit import RateLimit
from panel.sync.reconcile import DELETED, Reconciler
from panel.upstream.chatwoot import Chatwoot, Contact
from panel.upstream.client import Client
from panel.upstream.middag import DOCUMENTS, ORGANIZATION

log = logging.getLogger(__name__)
SECONDS_A_DAY = 86400
MOST_CLEARED = 0.05  # of the known organizations: more looks like a broken back office
Watch = Callable[[list[int]], Iterable[int]]
RECONCILE, BACKFILL = "reconcile", "backfill"


class TooManyGone(Exception):
    """`gone` of `known` organizations would be cleared."""

    def __init__(self, gone: int, known: int) -> None:
        super().__init__(f"{gone} of {known} known organizations would be cleared")


@dataclass(frozen=True)
class PlannedCall:
    """One call that a rehearsed pass would have made to Chatwoot, or why it could not."""

    organization: int
    method: str
    path: str
    body: Any


class Jobs:
    """`contacts` speaks to Chatwoot through a client of its own: behind the budget of calls."""

    def __init__(self, services: Services, door: Intake) -> None:
        self._services = services
        self._door = door
        settings = services.settings
        budget = RateLimit(settings.calls_per_minute)
        headers = Chatwoot.headers(settings.chatwoot_api_token)
        self._client = Client(settings.chatwoot_url, headers, gate=budget.take)
        chatwoot = Chatwoot(self._client, services.cache, settings.chatwoot_account_id)
        self._contacts = Reconciler(
            settings,
            services.back_office,
            chatwoot,
            services.directory,
            services.search_index,
            services.links,
            services.cache.flights,
        )

    def bring_in_line(self, organization: int) -> None:
        """One pass; its sections are touched again, for the plugin may ring before its own data
        is visible."""
        kinds = self._waiting_kinds(organization)
        try:
            self._contacts.bring_in_line(organization, kinds)
        finally:
            sections = {name for kind in kinds for name in _list_touched(kind)}
            self._services.cache.touch(organization, *sections)

    def warm(self, organization: int) -> None:
        """Bring the panel's kept copies up to date, so that it is there before the agent looks."""
        for document in DOCUMENTS:
            with suppress(PanelError):
                self._services.back_office.read(document, organization, CacheControl.FRESH)

    def reconcile(self, force: bool = False, watch: Watch = iter) -> int:
        """Line up every known organization; returns how many. Raises `TooManyGone`.

        `watch` is given the ids and yields them again: for who wants to see how far it is.
        """
        known = self._services.directory.list_organizations()
        gone = [each for each in known if self._would_clear(each)]
        if len(gone) > MOST_CLEARED * len(known) and not force:
            raise TooManyGone(len(gone), len(known))
        for organization in watch(known):
            self._door.line_up(organization, DELETED if organization in gone else RECONCILE)
        return len(known)

    def run_nightly(self) -> None:
        """What the engine's schedule calls."""
        kept = self._services.settings.keep_days * SECONDS_A_DAY
        self._services.audit_log.prune(time.time() - kept)
        try:
            log.info("reconciling %d organizations", self.reconcile())
        except TooManyGone as many:
            log.error("reconciling stopped: %s; `flask sync reconcile --force` if right", many)

    def dry_run(self, chosen: Iterable[int]) -> Iterable[PlannedCall]:
        """What passes of these organizations would change in Chatwoot; nothing is written."""
        scratch = self._copy_tables()
        stage = DryRunChatwoot(self._client, self._services.cache, self._services.settings)
        contacts = Reconciler(
            self._services.settings,
            self._services.back_office,
            stage,
            Directory(scratch),
            SearchIndex(scratch),
            Links(scratch),
            ThreadLocks(),
        )
        try:
            for organization in chosen:
                yield from self._dry_run_one(organization, contacts, stage)
        finally:
            scratch.dispose()

    def _waiting_kinds(self, organization: int) -> set[str]:
        with transaction(self._services.database) as connection:
            return inbox.list_waiting_kinds(connection, organization)

    def _would_clear(self, organization: int) -> bool:
        """Only what the plugin called deleted once, and the back office does not know any more."""
        with transaction(self._services.database) as connection:
            told = inbox.was_received(connection, organization, DELETED)
        if not told:
            return False
        try:
            self._services.back_office.fetch(ORGANIZATION, organization)
        except Missing as error:
            return error.code == "unknown_organization"
        return False

    def _copy_tables(self) -> Engine:
        """Our own tables as they are now, in memory."""
        scratch = create_engine(
            "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool
        )
        metadata.create_all(scratch, tables=[organizations, people, links, terms])
        with transaction(self._services.database) as source, scratch.begin() as target:
            for table in (organizations, people, links):
                rows = [dict(row) for row in source.execute(table.select()).mappings()]
                if rows:
                    target.execute(table.insert(), rows)
        return scratch

    def _dry_run_one(
        self, organization: int, contacts: Reconciler, stage: "DryRunChatwoot"
    ) -> Iterable[PlannedCall]:
        try:
            contacts.bring_in_line(organization, self._waiting_kinds(organization))
        except PanelError as error:
            yield PlannedCall(organization, "", "could not be told", str(error))
        yield from (PlannedCall(organization, *each) for each in stage.noted)
        stage.noted.clear()


class DryRunChatwoot(Chatwoot):
    """Reads the real Chatwoot; notes what would be written. New contacts have negative numbers."""

    def __init__(self, client: Client, cache: Any, settings: Any) -> None:
        super().__init__(client, cache, settings.chatwoot_account_id)
        self.noted: list[tuple[str, str, Any]] = []
        self._made: dict[int, Contact] = {}
        self._numbers = itertools.count(-1, -1)

    def find_contact(self, key: str, value: str) -> Contact | None:
        known = {"identifier": "identifier", "email": "email", "phone_number": "phone"}[key]
        made = [each for each in self._made.values() if getattr(each, known) == value]
        return made[0] if made else super().find_contact(key, value)

    def contact(self, number: int) -> Contact:
        return self._made.get(number) or super().contact(number)

    def open_conversations(self, contact: int) -> dict[int, dict[str, Any]]:
        return {} if contact < 0 else super().open_conversations(contact)

    def create_contact(self, fields: dict[str, Any]) -> Contact:
        self.noted.append(("POST", "contacts", fields))
        number = next(self._numbers)
        email, phone = fields.get("email"), fields.get("phone_number")
        told = fields.get("custom_attributes", {})
        made = Contact(number, fields["name"], email, phone, fields.get("identifier"), told)
        self._made[number] = made
        return made

    def update_contact(self, number: int, fields: dict[str, Any]) -> None:
        self.noted.append(("PUT", f"contacts/{number}", fields))

    def clear_contact(self, number: int, keys: list[str]) -> None:
        self.noted.append(("POST", f"contacts/{number}/destroy_custom_attributes", keys))

    def change_conversation(self, number: int, changes: dict[str, str | None]) -> None:
        self.noted.append(("POST", f"conversations/{number}/custom_attributes", changes))


def _list_touched(kind: str) -> tuple[str, ...]:
    found = find_kind(kind)
    return found.touches if found else ()
