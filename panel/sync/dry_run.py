"""The dry run of a pass: its writes to Chatwoot are noted instead of sent.

It works over a copy of our own tables. What it notes is exactly what a pass would do, because it is
one.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from panel.data import inbox
from panel.data.db import metadata, transaction
from panel.data.directory import Directory, further_contacts, organizations, people
from panel.data.links import PICKED, Links, links
from panel.data.search_index import SearchIndex, terms
from panel.errors import PanelError
from panel.locks import ThreadLocks
from panel.services import Services
from panel.sync.contacts import TOLD
from panel.sync.rate_limit import make_limited_back_office, make_limited_client
from panel.sync.reconcile import RECONCILE, Reconciler
from panel.upstream.chatwoot import Chatwoot, Condition, Contact
from panel.upstream.client import Client

HIDDEN = "(hidden)"


@dataclass(frozen=True)
class PlannedCall:
    """One call to Chatwoot that a pass would make, or why it could not."""

    organization: int
    method: str
    path: str
    body: Any


UNSETTLED = "left to people"
MERGED = (
    "contact {contact} took in the one of {key}, and shows neither their e-mail nor their phone. If"
    " it is theirs, pick the organization in the panel, or give it their e-mail; else make them a"
    " contact."
)
FORMER_EMAIL = (
    "contact {contact} shows the former e-mail of {key}: another contact has the new one, or a"
    " website's visitor could read it. Correct or merge it in Chatwoot."
)


class DryRunChatwoot(Chatwoot):
    """Reads the real Chatwoot; notes what would be written. New contacts have negative numbers."""

    def __init__(self, client: Client, cache: Any, settings: Any) -> None:
        super().__init__(client, cache, settings.chatwoot_account_id)
        self.noted: list[tuple[str, str, Any]] = []
        self._made: dict[int, Contact] = {}
        self._numbers = itertools.count(-1, -1)

    def find_contact(self, key: str, value: str) -> Contact | None:
        made = self._find_made([Condition(key, value)])
        return made[0] if made else super().find_contact(key, value)

    def find_contacts(
        self, conditions: Sequence[Condition], page: int = 1
    ) -> tuple[list[Contact], int]:
        made = self._find_made(conditions) if page == 1 else []
        found, total = super().find_contacts(conditions, page)
        return [*made, *found], len(made) + total

    def _find_made(self, conditions: Sequence[Condition]) -> list[Contact]:
        names = {"identifier": "identifier", "email": "email", "phone_number": "phone"}
        wanted = {(names[each.key], each.value) for each in conditions}
        return [
            each
            for each in self._made.values()
            if any(getattr(each, name) == value for name, value in wanted)
        ]

    def contact(self, number: int) -> Contact:
        return self._made.get(number) or super().contact(number)

    def open_conversations(self, contact: int) -> dict[int, dict[str, Any]]:
        return {} if contact < 0 else super().open_conversations(contact)

    def create_contact(self, fields: dict[str, Any]) -> Contact:
        self.noted.append(("POST", "contacts", _hide(fields)))
        number = next(self._numbers)
        email, phone = fields.get("email"), fields.get("phone_number")
        identifier = fields.get("identifier")
        made = Contact(number, fields["name"], email, phone, identifier, {}, public=False)
        self._made[number] = made
        return made

    def update_contact(self, number: int, fields: dict[str, Any]) -> None:
        self.noted.append(("PUT", _name_contact(number), _hide(fields)))
        if number in self._made and "custom_attributes" in fields:
            attributes = {**self._made[number].attributes, **fields["custom_attributes"]}
            self._made[number] = replace(self._made[number], attributes=attributes)

    def clear_contact(self, number: int, keys: list[str]) -> None:
        path = f"{_name_contact(number)}/destroy_custom_attributes"
        self.noted.append(("POST", path, keys))

    def change_conversation(self, number: int, changes: dict[str, str | None]) -> None:
        self.noted.append(("POST", f"conversations/{number}/custom_attributes", changes))


def _name_contact(number: int) -> str:
    return f"contacts/{number}" if number > 0 else "contacts/(new)"


def _hide(fields: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a call: whoever knows a random identifier can read that contact."""
    return {**fields, "identifier": HIDDEN} if fields.get("identifier") else fields


class DryRun:
    """Passes that write nothing. Raises `PanelError` when the database cannot be asked."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._client = make_limited_client(services.settings)
        self._back_office = make_limited_back_office(services)

    def run(self, chosen: Iterable[int]) -> Iterable[PlannedCall]:
        """What passes of these organizations would change in Chatwoot; nothing is written."""
        scratch = self._copy_tables()
        chatwoot = DryRunChatwoot(self._client, self._services.cache, self._services.settings)
        directory = Directory(scratch)
        reconciler = Reconciler(
            self._services.settings,
            self._back_office,
            chatwoot,
            directory,
            SearchIndex(scratch),
            Links(scratch),
            ThreadLocks(),
        )
        try:
            for organization in chosen:
                yield from self._run_pass(organization, reconciler, chatwoot)
                yield from list_unsettled(directory, Links(scratch), organization)
        finally:
            scratch.dispose()

    def _run_pass(
        self, organization: int, reconciler: Reconciler, chatwoot: DryRunChatwoot
    ) -> Iterable[PlannedCall]:
        try:
            kinds = {RECONCILE} | self._waiting_kinds(organization)
            reconciler.bring_in_line(organization, kinds)
        except PanelError as error:
            yield PlannedCall(organization, "", "could not be told", str(error))
        yield from (PlannedCall(organization, *each) for each in chatwoot.noted)
        chatwoot.noted.clear()

    def _waiting_kinds(self, organization: int) -> set[str]:
        with transaction(self._services.database) as connection:
            return inbox.list_waiting_kinds(connection, organization)

    def _copy_tables(self) -> Engine:
        """Our own tables as they are now, in memory."""
        scratch = create_engine(
            "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool
        )
        copied = (organizations, people, further_contacts, links)
        metadata.create_all(scratch, tables=[*copied, terms])
        with transaction(self._services.database) as source, scratch.begin() as target:
            for table in copied:
                rows = [dict(row) for row in source.execute(table.select()).mappings()]
                if table is people:
                    # Who was told about a lost contact finds it here until it is settled.
                    rows = [row for row in rows if row["identifier"] != TOLD]
                if rows:
                    target.execute(table.insert(), rows)
        return scratch


def list_unsettled(
    directory: Directory, links: Links, organization: int | None = None
) -> Iterable[PlannedCall]:
    """What passes have left to people, and nobody has settled yet."""
    for person in directory.list_unsettled(organization):
        words, contact = FORMER_EMAIL, person.contact
        if person.merged_into:
            words, contact = MERGED, person.merged_into
            said = links.find(0, contact)
            if any(
                (each.organization, each.state) == (person.organization, PICKED) for each in said
            ):
                continue
        detail = words.format(contact=contact, key=person.key)
        yield PlannedCall(person.organization, "", UNSETTLED, detail)
