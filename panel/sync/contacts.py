"""Which contact in Chatwoot is a person: found by one key, or made with one key.

The e-mail, else the phone. A visitor can write any `identifier`, so none is evidence but the random
one that stands in our table: a contact gets it that has neither e-mail nor phone.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

from panel.data.directory import COMPANY, Directory, Known, Person
from panel.errors import GiveUp
from panel.sync.people import DesiredPerson, is_guessable, make_attributes, make_identifier
from panel.upstream.chatwoot import (
    ID_ATTRIBUTE,
    LONGEST_NAME,
    ROLE_ATTRIBUTE,
    Chatwoot,
    Contact,
    ValuesRefused,
)

log = logging.getLogger(__name__)

TOLD = ""  # the identifier of a seat without a contact, which an administrator was told about


class ContactLost(GiveUp):
    """A contact that only an identifier could find, and our table does not know it any more."""

    code = "contact_lost"


@dataclass(frozen=True)
class Place:
    """The contact of a person, and the identifier that it has of us, if any.

    `made`: the contact as Chatwoot answered, where it was made a moment ago.
    """

    contact: int
    identifier: str | None = None
    made: Contact | None = None


class Contacts:
    """Raises `PanelError`, as Chatwoot and the directory do."""

    def __init__(self, chatwoot: Chatwoot, directory: Directory) -> None:
        self._chatwoot = chatwoot
        self._directory = directory

    def find(self, wanted: DesiredPerson, stored: Person | None) -> Place | None:
        """The contact that is stored, else by e-mail, else by phone, else by our identifier."""
        if stored and _has_same_keys(stored, wanted) and self._is_theirs(wanted, stored):
            return Place(stored.contact, _keep_identifier(wanted, stored))
        for key, value in wanted.list_keys().items():
            contact = self._chatwoot.find_contact(key, value)
            # Who is found by phone and shows another e-mail is somebody else.
            if contact and (key == "email" or not wanted.email or not contact.email):
                return Place(contact.id)
        return self._find_unkeyed(stored) if stored and not wanted.list_keys() else None

    def make(self, known: Known, wanted: DesiredPerson, stored: Person | None) -> Place | None:
        """A new contact, its attributes in the same call; none where an administrator knows why.

        With one key only: who has one, by typing it into the website's chat, is told the whole
        contact by Chatwoot (contracts/chatwoot-real.md 1). Raises `ContactLost`.
        """
        if keys := wanted.list_keys():
            return self._create(known, wanted, *next(iter(keys.items())))
        if lost := self._find_lost(known.id):
            self._tell_lost(lost, known, wanted, stored)
            return None
        identifier = _read_own(stored) or make_identifier()
        # Kept before Chatwoot hears of it: when its answer is lost, the next try finds the contact.
        self._directory.put_person(
            Person(known.id, wanted.key, 0, wanted.role, identifier=identifier)
        )
        return replace(self._create(known, wanted, "identifier", identifier), identifier=identifier)

    def _is_theirs(self, wanted: DesiredPerson, stored: Person) -> bool:
        """Earlier versions took contacts for somebody because of an identifier: look once."""
        if not stored.contact or not is_guessable(stored.identifier):
            return bool(stored.contact)
        contact = self._chatwoot.contact(stored.contact)
        self._report_squatter(contact, stored)
        if _shows_key(contact, wanted):
            return True
        if contact.joined:
            # We made none that an inbox knows: somebody speaks through it, and nothing says who.
            log.warning(
                "contact %d was somebody of organization %d by an identifier alone: no longer",
                contact.id,
                stored.organization,
            )
            return False
        return not (_is_bare(contact) and wanted.list_keys())

    def _report_squatter(self, contact: Contact, stored: Person) -> None:
        """Once: afterwards our table holds no such identifier any more."""
        guessable = stored.identifier or ""
        if (contact.identifier or "").lower() == guessable.lower():
            return
        owner = self._chatwoot.find_contact("identifier", guessable)
        if owner and not self._directory.memberships_of(owner.id):
            log.warning(
                "contact %d has the identifier of somebody of organization %d, and is nobody of it:"
                " left as it is",
                owner.id,
                stored.organization,
            )

    def _find_unkeyed(self, stored: Person) -> Place | None:
        """The one that we made before: its answer was lost, or it was merged into another."""
        identifier = _read_own(stored)
        contact = self._chatwoot.find_contact("identifier", identifier) if identifier else None
        return Place(contact.id, identifier) if contact else None

    def _find_lost(self, organization: int) -> list[int]:
        """Contacts that call themselves this company's own, which has none in our table.

        A visitor can write those attributes: such a contact is no evidence, and is not taken.
        """
        claim = {ID_ATTRIBUTE: str(organization), ROLE_ATTRIBUTE: COMPANY}
        return self._chatwoot.list_claimants(claim)

    def _tell_lost(
        self, lost: list[int], known: Known, wanted: DesiredPerson, stored: Person | None
    ) -> None:
        if stored and not stored.contact and stored.identifier == TOLD:
            return
        told = Person(known.id, wanted.key, 0, wanted.role, identifier=TOLD)
        self._directory.put_person(told)
        numbers = ", ".join(map(str, lost))
        raise ContactLost(
            detail=f"contact {numbers} names this company, but nothing proves that it is the"
            " company's own, so no second one was made. Delete it in Chatwoot (a new one is made),"
            " or give it and the company in the back office the same e-mail"
        )

    def _create(self, known: Known, wanted: DesiredPerson, key: str, value: str) -> Place:
        """Where another contact owns the key, that one: it is looked up once."""
        seat = Person(known.id, wanted.key, 0, wanted.role)
        fields: dict[str, Any] = {"name": wanted.name[:LONGEST_NAME], key: value}
        fields["custom_attributes"] = make_attributes([(known, seat)])
        try:
            made = self._chatwoot.create_contact(fields)
        except ValuesRefused as taken:
            owner = self._chatwoot.find_contact(key, value) if key in taken.attributes else None
            if not owner:
                raise
            return Place(owner.id)
        return Place(made.id, made=made)


def choose_identifier(contact: Contact, identifier: str | None) -> dict[str, str | None]:
    """What has to be written into the contact's `identifier`, if anything.

    None of an earlier version stays; one of ours only where nothing else tells the contact apart.
    """
    right = identifier if _is_bare(contact) else None
    if is_guessable(contact.identifier) or (right and not contact.identifier):
        return {"identifier": right}
    return {}


def _keep_identifier(wanted: DesiredPerson, stored: Person) -> str | None:
    """Of a seat that stays: what a contact of nobody's e-mail and phone is told apart by."""
    own = _read_own(stored)
    return own if own or wanted.list_keys() else make_identifier()


def _read_own(stored: Person | None) -> str | None:
    """The random identifier in our table; one of an earlier version is none."""
    identifier = stored.identifier if stored else None
    return None if not identifier or is_guessable(identifier) else identifier


def _has_same_keys(stored: Person, wanted: DesiredPerson) -> bool:
    same_phone = stored.phone == wanted.phone
    return stored.email == wanted.email and (bool(wanted.email) or same_phone)


def _shows_key(contact: Contact, wanted: DesiredPerson) -> bool:
    shown = {"email": (contact.email or "").lower(), "phone_number": contact.phone}
    return any(shown[key] == value for key, value in wanted.list_keys().items())


def _is_bare(contact: Contact) -> bool:
    return not (contact.email or contact.phone)
