"""The contact of somebody who has none: made with one key, or found by what stands in our table.

A visitor can write any `identifier`, so none is evidence but the random one of our own: a contact
gets it that has neither e-mail nor phone.
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

TOLD = ""  # the identifier of a seat without a contact, which an administrator was told about


class ContactLost(GiveUp):
    """A contact that only an identifier could find, and our table does not know it any more."""

    code = "contact_lost"


@dataclass(frozen=True)
class Place:
    """The contact of a person, and the identifier that it has of us, if any.

    `made`: a moment ago, so it is as Chatwoot answered and has no conversations.
    """

    contact: Contact
    identifier: str | None = None
    made: bool = False


class Contacts:
    """Raises `PanelError`, as Chatwoot and the directory do."""

    def __init__(self, chatwoot: Chatwoot, directory: Directory) -> None:
        self._chatwoot = chatwoot
        self._directory = directory

    def make(self, known: Known, wanted: DesiredPerson, stored: Person | None) -> Place | None:
        """A new contact, without attributes; none where an administrator knows why.

        The intent stands in our table before Chatwoot hears of it, and attributes are written when
        the seat stands there too: whoever is killed in between leaves a contact that says nothing
        of us, and the next pass finds it by its key. With one key only: who has one, by typing it
        into the website's chat, is told the whole contact by Chatwoot. Whose contact was deleted
        in Chatwoot is not made again, unless an administrator allows it. Raises `ContactLost`.
        """
        absent = _describe_absent(known, wanted)
        if self._directory.erasures.find(absent):
            if absent != stored:
                self._directory.put_person(absent)
            return None
        if keys := wanted.list_keys():
            self._intend(known, wanted)
            return self._create(wanted, *next(iter(keys.items())))
        identifier = read_own(stored)
        if identifier and (contact := self._chatwoot.find_contact("identifier", identifier)):
            return Place(contact, identifier)  # its answer was lost
        if lost := self._find_lost(known.id):
            self._tell_lost(lost, known, wanted, stored)
            return None
        identifier = identifier or make_identifier()
        self._intend(known, wanted, identifier)
        return self._create(wanted, "identifier", identifier)

    def is_theirs(self, contact: Contact, wanted: DesiredPerson, stored: Person) -> bool:
        """Earlier versions took contacts for somebody because of an identifier: look once."""
        self._report_squatter(contact, stored)
        if find_key(wanted, contact):
            return True
        if contact.joined:
            # We made none that an inbox knows: somebody speaks through it, and nothing says who.
            log.warning(
                "contact %d was somebody of organization %d by an identifier alone: no longer",
                contact.id,
                stored.organization,
            )
            return False
        return not (is_bare(contact) and wanted.list_keys())

    def _report_squatter(self, contact: Contact, stored: Person) -> None:
        """Once: afterwards our table holds no such identifier any more."""
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

    def _intend(self, known: Known, wanted: DesiredPerson, identifier: str | None = None) -> None:
        self._directory.put_person(_describe_absent(known, wanted, identifier))

    def _find_lost(self, organization: int) -> list[int]:
        """Contacts that call themselves this company's own, which has none in our table.

        A visitor can write those attributes: such a contact is no evidence, and is not taken.
        """
        claim = {ID_ATTRIBUTE: str(organization), ROLE_ATTRIBUTE: COMPANY}
        return [contact.id for contact in self._chatwoot.list_claimants(claim)]

    def _tell_lost(
        self, lost: list[int], known: Known, wanted: DesiredPerson, stored: Person | None
    ) -> None:
        if stored and not stored.contact and stored.identifier == TOLD:
            return
        self._intend(known, wanted, TOLD)
        numbers = ", ".join(map(str, lost))
        raise ContactLost(
            detail=f"contact {numbers} names this company, but nothing proves that it is the"
            " company's own, so no second one was made. Delete it in Chatwoot (a new one is made),"
            " or give it and the company in the back office the same e-mail"
        )

    def _create(self, wanted: DesiredPerson, key: str, value: str) -> Place:
        """Where another contact owns the key, that one: it is looked up once."""
        fields: dict[str, Any] = {"name": wanted.name[:LONGEST_NAME], key: value}
        identifier = value if key == "identifier" else None
        try:
            return Place(self._chatwoot.create_contact(fields), identifier, made=True)
        except ValuesRefused as taken:
            owner = self._chatwoot.find_contact(key, value) if key in taken.attributes else None
            if not owner:
                raise
            return Place(owner, identifier)


def _describe_absent(known: Known, wanted: DesiredPerson, identifier: str | None = None) -> Person:
    """The person without a contact."""
    keys = (wanted.email, wanted.phone, identifier, wanted.phone_shared)
    return Person(known.id, wanted.key, 0, wanted.role, *keys, lacks=wanted.lacks)


def read_own(stored: Person | None) -> str | None:
    """The random identifier in our table; one of an earlier version is none."""
    identifier = stored.identifier if stored else None
    return None if not identifier or is_guessable(identifier) else identifier


def keep_identifier(wanted: DesiredPerson, stored: Person) -> str | None:
    """Of a seat that stays: what a contact of nobody's e-mail and phone is told apart by."""
    own = read_own(stored)
    return own if own or wanted.list_keys() else make_identifier()
