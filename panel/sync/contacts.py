"""Makes the contact of a person who has none, or finds it by the identifier in our table.

A visitor can write any `identifier`, so only our own random one is evidence. Only a contact that
has neither e-mail nor phone gets an identifier.
"""

import logging
from dataclasses import dataclass
from typing import Any

from panel.data.directory import COMPANY, Directory, Known, Person
from panel.errors import GiveUp
from panel.sync.contact_search import find_key
from panel.sync.contact_writer import is_bare
from panel.sync.people import DesiredPerson, is_guessable, make_identifier
from panel.upstream.chatwoot import (
    ID_ATTRIBUTE,
    LONGEST_NAME,
    ROLE_ATTRIBUTE,
    Chatwoot,
    Contact,
    ValuesRefused,
)

log = logging.getLogger(__name__)

TOLD = ""  # in place of an identifier: the lost contact of this seat was reported already


class ContactLost(GiveUp):
    """The contact could be found only by its identifier, which our table no longer has."""

    code = "contact_lost"


@dataclass(frozen=True)
class Place:
    """The contact of a person, and our identifier in it, if any.

    `is_new`: we made the contact a moment ago, so it has no conversations.
    """

    contact: Contact
    identifier: str | None = None
    is_new: bool = False


class Contacts:
    """Raises `PanelError`, as Chatwoot and the directory do."""

    def __init__(self, chatwoot: Chatwoot, directory: Directory) -> None:
        self._chatwoot = chatwoot
        self._directory = directory

    def make(self, company: Known, desired: DesiredPerson, stored: Person | None) -> Place | None:
        """Make a contact without attributes; None where an administrator was told why there is
        none.

        The intent is stored in our table before Chatwoot is called, and attributes are written
        after the seat is stored. A process that is killed in between leaves a contact without our
        attributes, and the next pass finds it by its key. The contact gets one key only: a visitor
        who types that key into the website's chat can read the whole contact. A contact that was
        deleted in Chatwoot is not made again, unless an administrator allows it. Raises
        `ContactLost`.
        """
        absent = _describe_absent(company, desired)
        if self._directory.erasures.find(absent):
            if absent != stored:
                self._directory.put_person(absent)
            return None
        if keys := desired.list_keys():
            self._intend(company, desired)
            return self._create(desired, *next(iter(keys.items())))
        identifier = read_own(stored)
        if identifier and (contact := self._chatwoot.find_contact("identifier", identifier)):
            # An earlier try made the contact, and the answer was lost.
            return Place(contact, identifier)
        if claimants := self._find_lost(company.id):
            self._tell_lost(claimants, company, desired, stored)
            return None
        identifier = identifier or make_identifier()
        self._intend(company, desired, identifier)
        return self._create(desired, "identifier", identifier)

    def is_theirs(self, contact: Contact, desired: DesiredPerson, stored: Person) -> bool:
        """Tell whether the contact is this person's. Earlier versions believed identifiers, so this
        is checked once."""
        self._report_squatter(contact, stored)
        if find_key(desired, contact):
            return True
        if contact.has_inbox:
            # A contact that we made belongs to no inbox. A contact in an inbox was made for an
            # unknown person who writes through it.
            log.warning(
                "contact %d was somebody of organization %d by an identifier alone: no longer",
                contact.id,
                stored.organization,
            )
            return False
        return not (is_bare(contact) and desired.list_keys())

    def _report_squatter(self, contact: Contact, stored: Person) -> None:
        """Log the contact of an unknown person once: afterwards our table has no such
        identifier."""
        guessable = stored.identifier or ""
        if (contact.identifier or "").lower() == guessable.lower():
            return
        owner = self._chatwoot.find_contact("identifier", guessable)
        if owner and not self._directory.find_seated([owner.id]):
            log.warning(
                "contact %d has the identifier of somebody of organization %d, and is nobody of it:"
                " left as it is",
                owner.id,
                stored.organization,
            )

    def _intend(
        self, company: Known, desired: DesiredPerson, identifier: str | None = None
    ) -> None:
        self._directory.put_person(_describe_absent(company, desired, identifier))

    def _find_lost(self, organization: int) -> list[int]:
        """Return contacts whose attributes call them this company's own contact, which our table
        lacks.

        A visitor can write those attributes. So such a contact is only reported, and never used.
        """
        claim = {ID_ATTRIBUTE: str(organization), ROLE_ATTRIBUTE: COMPANY}
        return [contact.id for contact in self._chatwoot.list_claimants(claim)]

    def _tell_lost(
        self, claimants: list[int], company: Known, desired: DesiredPerson, stored: Person | None
    ) -> None:
        if stored and not stored.contact and stored.identifier == TOLD:
            return
        self._intend(company, desired, TOLD)
        numbers = ", ".join(map(str, claimants))
        raise ContactLost(
            detail=f"contact {numbers} names this company, but nothing proves that it is the"
            " company's own, so no second one was made. Delete it in Chatwoot (a new one is made),"
            " or give it and the company in the back office the same e-mail"
        )

    def _create(self, desired: DesiredPerson, key: str, value: str) -> Place:
        """Make the contact; where another contact owns the key, return that one."""
        fields: dict[str, Any] = {"name": desired.name[:LONGEST_NAME], key: value}
        identifier = value if key == "identifier" else None
        try:
            return Place(self._chatwoot.create_contact(fields), identifier, is_new=True)
        except ValuesRefused as taken:
            owner = self._chatwoot.find_contact(key, value) if key in taken.attributes else None
            if not owner:
                raise
            return Place(owner, identifier)


def _describe_absent(
    company: Known, desired: DesiredPerson, identifier: str | None = None
) -> Person:
    """Return the person's row without a contact."""
    keys = (desired.email, desired.phone, identifier, desired.phone_shared)
    return Person(company.id, desired.key, 0, desired.role, *keys, lacks=desired.lacks)


def read_own(stored: Person | None) -> str | None:
    """Return the random identifier in our table; an identifier of an earlier version does not
    count."""
    identifier = stored.identifier if stored else None
    return None if not identifier or is_guessable(identifier) else identifier


def keep_identifier(desired: DesiredPerson, stored: Person) -> str | None:
    """Return the identifier of a seat that stays; only a person without e-mail and phone needs
    one."""
    own = read_own(stored)
    return own if own or desired.list_keys() else make_identifier()
