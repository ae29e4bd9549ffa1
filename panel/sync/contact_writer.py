"""Writes a contact's attributes in Chatwoot, under one lock per contact.

The values are computed from our own tables, and only the difference is written. So the result is
the same whichever pass ran last. Chatwoot merges attributes key by key without a lock of its own.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from panel.data.directory import Person
from panel.data.sightings import Sightings
from panel.errors import Unreachable
from panel.locks import Locks
from panel.models.text import is_undecoded, normalize_email
from panel.sync.conversations import Conversations, Names
from panel.sync.memberships import Memberships
from panel.sync.people import OUR_ATTRIBUTES, is_guessable, make_attributes
from panel.upstream.chatwoot import LONGEST_NAME, Chatwoot, Contact, ValuesRefused

log = logging.getLogger(__name__)

CONTACT_LOCK_SECONDS = 30.0  # the wait for a contact that another pass is writing

Leaving = Callable[[Person], bool]


def _nobody(_seat: Person) -> bool:
    return False


@dataclass(frozen=True)
class Change:
    """A contact as it was `before` a write, and our attributes in it since then."""

    before: Contact
    attributes: dict[str, Any]


class ContactWriter:
    """`locks` give one writer per contact, over processes too. Every method raises `PanelError`.

    `sightings` note what was written; a dry run has none.
    """

    def __init__(
        self,
        chatwoot: Chatwoot,
        memberships: Memberships,
        conversations: Conversations,
        locks: Locks,
    ) -> None:
        self._chatwoot = chatwoot
        self._memberships = memberships
        self._conversations = conversations
        self._locks = locks
        self.sightings: Sightings | None = None

    def write(
        self,
        number: int,
        name: str = "",
        leaving: Leaving = _nobody,
        identifier: str | None = None,
        present: Contact | None = None,
        at: float | None = None,
    ) -> Change:
        """Write the difference: attributes, a missing name, the identifier.

        `present`: the contact, where Chatwoot has just answered with it. `at`: see `settle`.
        """
        with self.lock(f"contact:{number}"):
            contact = present or self._chatwoot.contact(number)
            right = self.make_right_attributes(number, leaving)
            changes = {k: v for k, v in right.items() if contact.attributes.get(k) != v}
            # No phone is written, and an e-mail by `correct_email` alone. A visitor who types
            # somebody's e-mail or phone into the website's chat can read the whole contact, and
            # would learn the other.
            fields: dict[str, Any] = choose_identifier(contact, identifier)
            if name and _wants_name(contact, name):
                fields["name"] = name[:LONGEST_NAME]
            if changes:
                fields["custom_attributes"] = changes
            surplus = list_ours(contact).keys() - right.keys()
            if self.sightings and (fields or surplus):
                self.sightings.unsettle(number, at or time.time())
            self._send(number, fields)
            if surplus:
                self._chatwoot.clear_contact(number, sorted(surplus, key=OUR_ATTRIBUTES.index))
            return Change(contact, right)

    def settle(self, number: int, attributes: dict[str, Any], at: float) -> None:
        """Note that the contact shows these attributes and its conversations are named.

        `at`: when the write began. `attributes`: those that were written. Our tables may say more
        by now: another organization's pass may have seated the contact and not have written it yet.
        """
        if self.sightings:
            self.sightings.settle(number, attributes, at)

    def is_in_line(self, contact: Contact, name: str, identifier: str | None) -> bool:
        """Tell whether `write` would find nothing to change in this contact."""
        right = self.make_right_attributes(contact.id)
        unnamed = name and _wants_name(contact, name)
        attributes = list_ours(contact)
        return not unnamed and attributes == right and not choose_identifier(contact, identifier)

    def repair(self, number: int) -> None:
        """Put back our attributes that somebody changed, in the contact's conversations too.

        The attributes of a contact without an organization are a claim, and stay. Its conversations
        are corrected, because an agent may have picked an organization for one of them. Raises
        `Missing`.
        """
        at, is_ours = time.time(), self._memberships.find_attributes(number) is not None
        change = self.write(number, at=at) if is_ours else None
        self._write_names(number, self._memberships.name_seats(number))
        if change:
            self.settle(number, change.attributes, at)

    def name_conversations(self, number: int, leaving: Leaving = _nobody) -> None:
        """Name the contact's conversations; a contact without seats has none named."""
        seats = self._memberships.find_seats(number)
        names = {
            str(organization.id): organization.name
            for organization, seat in seats
            if not leaving(seat)
        }
        if names:
            self._write_names(number, names)

    def _write_names(self, number: int, names: Names) -> None:
        self._conversations.write_name(number, names, self._memberships.name_organizations)

    def correct_email(self, number: int, former: str, email: str) -> bool:
        """Write the new e-mail in place of the former one; returns False where it may not be
        written.

        A website's visitor can read some contacts, so no address is written there. An e-mail that
        somebody else wrote stays.
        """
        with self.lock(f"contact:{number}"):
            contact = self._chatwoot.contact(number)
            if contact.public or normalize_email(contact.email) != former:
                return False
            try:
                self._chatwoot.update_contact(number, {"email": email})
            except ValuesRefused:
                return False
            return True

    def clear_stranger(self, number: int, identifier: str | None = None) -> None:
        """Clear our values in a contact without a seat; `identifier`: the one that we once
        wrote."""
        contact = self.write(number).before
        if identifier and contact.identifier == identifier:
            self._send(number, {"identifier": None})

    def make_right_attributes(self, number: int, leaving: Leaving = _nobody) -> dict[str, Any]:
        """Return the attributes that the contact may have now; none where it has no
        organization."""
        seats = self._memberships.find_for_attributes(number)
        return make_attributes([seat for seat in seats if not leaving(seat[1])])

    def is_somebody(self, number: int, leaving: Leaving = _nobody) -> bool:
        """Tell whether a pass has seated this contact, or an agent's pick for it may be written."""
        return bool(self.make_right_attributes(number, leaving))

    def _send(self, number: int, fields: dict[str, Any]) -> None:
        while fields:
            try:
                return self._chatwoot.update_contact(number, fields)
            except ValuesRefused as taken:
                fields = _leave_out(fields, taken)
        return None

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the lock of a key; a pass that cannot get the lock in time is tried again later."""
        with self._locks.hold(key, CONTACT_LOCK_SECONDS) as alone:
            if not alone:
                raise Unreachable("contact_busy", "another pass writes this contact")
            yield


def choose_identifier(contact: Contact, identifier: str | None) -> dict[str, str | None]:
    """Return the change of the contact's `identifier`, if one is needed.

    An identifier of an earlier version is replaced or removed. Ours is written only where the
    contact has no other key.
    """
    right = identifier if is_bare(contact) else None
    if is_guessable(contact.identifier) or (right and not contact.identifier):
        return {"identifier": right}
    return {}


def _wants_name(contact: Contact, name: str) -> bool:
    """Tell whether this name is to be written.

    A contact without a name gets it. A name that an earlier version wrote with HTML's entities is
    corrected. Any other name belongs to its author, and stays.
    """
    return not contact.name or is_undecoded(contact.name, name)


def is_bare(contact: Contact) -> bool:
    return not (contact.email or contact.phone)


def list_ours(contact: Contact) -> dict[str, Any]:
    """Return our attributes of the contact."""
    return {key: contact.attributes[key] for key in OUR_ATTRIBUTES if key in contact.attributes}


def _leave_out(fields: dict[str, Any], refusal: ValuesRefused) -> dict[str, Any]:
    """Return the fields without those that Chatwoot refuses; raises `refusal` when it names none of
    the fields."""
    rest = {key: value for key, value in fields.items() if key not in refusal.attributes}
    if len(rest) == len(fields):
        raise refusal
    log.info("left out, because Chatwoot refuses it: %s", ", ".join(refusal.attributes))
    return rest
