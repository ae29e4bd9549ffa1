"""The dry run of a pass: its writes to Chatwoot are noted instead of sent.

A dry run is a real pass over a copy of our own tables, so it notes exactly what a pass would do.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from panel.data import inbox
from panel.data.db import metadata, transaction
from panel.data.directory import Directory, further_contacts, organizations, people
from panel.data.erasures import erasure_key, erasures
from panel.data.links import PICKED, Links, links
from panel.data.search_index import SearchIndex, terms
from panel.data.verification_tries import verification_tries
from panel.data.verifications import verifications
from panel.errors import PanelError
from panel.locks import ThreadLocks
from panel.services import Services
from panel.sync.contacts import TOLD
from panel.sync.rate_limit import make_limited_back_office, make_limited_client
from panel.sync.reasons import explain_reason
from panel.sync.reconcile import RECONCILE, Reconciler
from panel.upstream.chatwoot import Chatwoot, Condition, Contact, ListedConversation
from panel.upstream.client import Client

HIDDEN = "(hidden)"
NOT_TOLD = "could not be told"
Note = tuple[str, str, Any, Mapping[str, Any]]  # method, path, body, the values before


UNSETTLED = "left to people"
ERASED = "deleted in Chatwoot"
MERGED = (
    "contact {contact} took in the one of {key}, and shows neither their e-mail nor their phone. If"
    " it is theirs, pick the organization in the panel, or give it their e-mail; else make them a"
    " contact."
)
NOT_MADE_AGAIN = (
    "contact {contact} of {key} was deleted in Chatwoot, and nobody makes it again. If it shall be"
    " made: `flask --app app sync erased --allow {contact}`."
)
FORMER_EMAIL = (
    "contact {contact} shows the former e-mail of {key}: another contact has the new one, or a"
    " website's visitor could read it. Correct or merge it in Chatwoot."
)


@dataclass(frozen=True)
class PlannedCall:
    """A call to Chatwoot that a pass would make, or the reason why the pass would fail.

    `before`: the present values, as far as they were read; `side`: the outside world that could not
    be asked.
    """

    organization: int
    method: str
    path: str
    body: Any
    before: Mapping[str, Any] = field(default_factory=dict, compare=False)
    side: str = field(default="", compare=False)

    def describe(self) -> str:
        """Describe the call for people, as a difference of values."""
        return f"organization {self.organization}: {self._describe()}"

    def _describe(self) -> str:
        if self.path == NOT_TOLD:
            return f"cannot be compared. {explain_reason(str(self.body), self.side)}"
        if self.path in (UNSETTLED, ERASED):
            return str(self.body)
        kind, _, rest = self.path.partition("/")
        if not rest:
            keys = (self.body.get(key) for key in ("email", "phone_number"))
            name = next(filter(None, keys), self.body.get("name"))
            return f"nobody in Chatwoot is {name}: a contact should be made"
        number = rest.partition("/")[0]
        changes = "; ".join(_describe_value(*values) for values in self._list_values())
        return f"{kind.removesuffix('s')} {number}: {changes}"

    def _list_values(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield the keys with their present and their right value; None: no value."""
        for key, right in _flatten(self.body).items():
            yield key, self.before.get(key), right


def _flatten(body: Any) -> dict[str, Any]:
    """Return the values to write, by key; None for keys that are removed."""
    values: dict[str, Any] = dict.fromkeys(body) if isinstance(body, list) else dict(body)
    attributes: dict[str, Any] = values.pop("custom_attributes", {})
    return values | attributes


def _describe_value(key: str, before: Any, right: Any) -> str:
    if right is None:
        return f"{key} should not be there"
    now = f'says "{before}", and' if before not in (None, "") else "is not there, and"
    return f'{key} {now} should say "{right}"'


class DryRunChatwoot(Chatwoot):
    """Reads the real Chatwoot, and notes writes instead of sending them. New contacts get negative
    numbers."""

    def __init__(self, client: Client, cache: Any, settings: Any) -> None:
        super().__init__(client, cache, settings.chatwoot_account_id)
        self.noted: list[Note] = []
        self._read: dict[int, Contact] = {}
        self._made: dict[int, Contact] = {}
        self._numbers = itertools.count(-1, -1)

    def find_contact(self, key: str, value: str) -> Contact | None:
        ours = self._find_made([Condition(key, value)])
        contact = ours[0] if ours else super().find_contact(key, value)
        self._read |= {contact.id: contact} if contact else {}
        return contact

    def find_contacts(
        self, conditions: Sequence[Condition], page: int = 1
    ) -> tuple[list[Contact], int]:
        ours = self._find_made(conditions) if page == 1 else []
        rows, total = super().find_contacts(conditions, page)
        self._read |= {row.id: row for row in rows}
        return [*ours, *rows], len(ours) + total

    def _find_made(self, conditions: Sequence[Condition]) -> list[Contact]:
        names = {"identifier": "identifier", "email": "email", "phone_number": "phone"}
        pairs = {(names[condition.key], condition.value) for condition in conditions}
        return [
            contact
            for contact in self._made.values()
            if any(getattr(contact, name) == value for name, value in pairs)
        ]

    def contact(self, number: int) -> Contact:
        self._read[number] = self._made.get(number) or super().contact(number)
        return self._read[number]

    def list_conversations(
        self, contact: int, statuses: tuple[str, ...] = ()
    ) -> list[ListedConversation]:
        return [] if contact < 0 else super().list_conversations(contact, statuses)

    def create_contact(self, fields: dict[str, Any]) -> Contact:
        self.noted.append(("POST", "contacts", _hide(fields), {}))
        number = next(self._numbers)
        email, phone = fields.get("email"), fields.get("phone_number")
        identifier = fields.get("identifier")
        contact = Contact(number, fields["name"], email, phone, identifier, {}, public=False)
        self._made[number] = contact
        return contact

    def update_contact(self, number: int, fields: dict[str, Any]) -> None:
        before = self._describe_contact(number)
        self.noted.append(("PUT", _name_contact(number), _hide(fields), before))
        if number in self._made and "custom_attributes" in fields:
            attributes = {**self._made[number].attributes, **fields["custom_attributes"]}
            self._made[number] = replace(self._made[number], attributes=attributes)

    def clear_contact(self, number: int, keys: list[str]) -> None:
        path = f"{_name_contact(number)}/destroy_custom_attributes"
        self.noted.append(("POST", path, keys, self._describe_contact(number)))

    def change_conversation(
        self,
        number: int,
        changes: Mapping[str, str | None],
        present: Mapping[str, Any] | None = None,
    ) -> None:
        path = f"conversations/{number}/custom_attributes"
        self.noted.append(("POST", path, dict(changes), present or {}))

    def _describe_contact(self, number: int) -> dict[str, Any]:
        """Return the attributes and the name as they were read, without the identifier."""
        contact = self._read.get(number)
        name = {"name": contact.name} if contact else {}
        return {**contact.attributes, **name} if contact else {}


def _name_contact(number: int) -> str:
    return f"contacts/{number}" if number > 0 else "contacts/(new)"


def _hide(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without the identifier: anybody who knows a random one can read that
    contact."""
    return {**fields, "identifier": HIDDEN} if fields.get("identifier") else fields


class DryRun:
    """Passes that write nothing. Raises `PanelError` when the database cannot be asked."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._client = make_limited_client(services.settings)
        self._back_office = make_limited_back_office(services)

    def run(self, organizations: Iterable[int]) -> Iterable[PlannedCall]:
        """Yield the changes that passes of these organizations would make in Chatwoot; nothing is
        written."""
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
            for organization in organizations:
                yield from self._run_pass(organization, reconciler, chatwoot)
                yield from list_unsettled(directory, Links(scratch), organization)
                yield from _list_erased(directory, organization)
        finally:
            scratch.dispose()

    def _run_pass(
        self, organization: int, reconciler: Reconciler, chatwoot: DryRunChatwoot
    ) -> Iterable[PlannedCall]:
        try:
            kinds = {RECONCILE} | self._waiting_kinds(organization)
            reconciler.bring_in_line(organization, kinds)
        except PanelError as error:
            yield PlannedCall(organization, "", NOT_TOLD, str(error), side=error.side)
        for method, path, body, present in chatwoot.noted:
            before = {key: present[key] for key in _flatten(body) if key in present}
            yield PlannedCall(organization, method, path, body, before)
        chatwoot.noted.clear()

    def _waiting_kinds(self, organization: int) -> set[str]:
        with transaction(self._services.database) as connection:
            return inbox.list_waiting_kinds(connection, organization)

    def _copy_tables(self) -> Engine:
        """Copy our own tables as they are now into memory."""
        scratch = create_engine(
            "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool
        )
        copied = (organizations, people, further_contacts, links, erasures, erasure_key)
        emptied = (terms, verifications, verification_tries)  # tables that a pass writes
        metadata.create_all(scratch, tables=[*copied, *emptied])
        with transaction(self._services.database) as source, scratch.begin() as target:
            for table in copied:
                rows = [dict(row) for row in source.execute(table.select()).mappings()]
                if table is people:
                    # A dry run reports a lost contact until an administrator settles it.
                    rows = [row for row in rows if row["identifier"] != TOLD]
                if rows:
                    target.execute(table.insert(), rows)
        return scratch


def _list_erased(directory: Directory, organization: int) -> Iterable[PlannedCall]:
    """Yield people whose contact was deleted in Chatwoot: a decision of somebody there, and no
    difference to mend."""
    for contact, person in directory.erasures.list_held_back(organization):
        detail = NOT_MADE_AGAIN.format(contact=contact, key=person.key)
        yield PlannedCall(organization, "", ERASED, detail)


def list_unsettled(
    directory: Directory, links: Links, organization: int | None = None
) -> Iterable[PlannedCall]:
    """Yield cases that passes left to administrators and that are still open."""
    for person in directory.list_unsettled(organization):
        words, contact = FORMER_EMAIL, person.contact
        if person.merged_into:
            words, contact = MERGED, person.merged_into
            contact_links = links.find(0, contact)
            if any(
                (link.organization, link.state) == (person.organization, PICKED)
                for link in contact_links
            ):
                continue
        detail = words.format(contact=contact, key=person.key)
        yield PlannedCall(person.organization, "", UNSETTLED, detail)
