"""One pass: read the present truth of an organization, and bring its contacts in Chatwoot in line.

Only the difference is written, so any order and repetition of passes ends in the same Chatwoot. A
contact's attributes are computed from the directory, behind one lock per contact: Chatwoot merges
them key by key without a lock of its own (contracts/chatwoot.md §3.3).
"""

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from panel.chatwoot import Chatwoot, Contact, Taken
from panel.directory import Directory, Known, Person
from panel.errors import GiveUp, Missing, Unreachable
from panel.flights import Flights
from panel.links import PICKED, REFUSED, Links
from panel.middag import COLLABORATORS, ENTITLEMENTS, ORGANIZATION, BackOffice
from panel.models import Entitlement, Organization
from panel.settings import Settings
from panel.sync.people import ID, NAME, OURS, STATUSES, Wanted, attributes, e164, persons

log = logging.getLogger(__name__)

DELETED = "organization.deleted"
PATIENCE = 30.0  # seconds for a contact that another pass is writing
LOST_VALUES = 3  # identifier, e-mail, phone: no contact can be refused more of them


class Contacts:
    """Brings organizations in line. `flights` gives one writer per contact, over processes too."""

    def __init__(
        self,
        settings: Settings,
        office: BackOffice,
        chatwoot: Chatwoot,
        directory: Directory,
        links: Links,
        flights: Flights,
    ) -> None:
        self._settings = settings
        self._office = office
        self._chatwoot = chatwoot
        self._directory = directory
        self._links = links
        self._flights = flights

    def bring_in_line(self, organization: int, kinds: Collection[str]) -> None:
        """`kinds`: of the hooks that wait. Raises `TryLater`, or `GiveUp` with what was refused."""
        try:
            truth = self._office.now(ORGANIZATION, organization)
        except Missing as error:
            if DELETED in kinds and error.code == "unknown_organization":
                return self._depart(organization)
            raise
        listed = self._office.now(COLLABORATORS, organization)
        people = listed.rows
        entitlements = self._office.now(ENTITLEMENTS, organization).rows
        known = self._known(truth, entitlements)
        self._directory.learn(known)
        wanted = persons(truth, people)
        before = self._directory.people_of(organization)
        refused = [why for person in wanted if (why := self._seat(known, person, before))]
        # An empty list is no evidence that everybody left: a broken plugin answers so too.
        # Nor is one that names fewer people than it counts.
        whole = people and not listed.cut
        gone = set(before) - {person.key for person in wanted} if whole else set()
        refused += [why for key in sorted(gone) if (why := self._unseat(known, before[key]))]
        if refused:
            raise GiveUp("contact_refused", "; ".join(refused))
        return None

    def _known(self, truth: Organization, entitlements: tuple[Entitlement, ...]) -> Known:
        now = datetime.now(UTC)
        active = [each for each in entitlements if each.status.value == "active"]
        ahead = [each.expires for each in active if each.expires and each.expires > now]
        statuses = {each.status.value for each in entitlements}
        return Known(
            id=truth.id,
            name=truth.name,
            billing_entity=truth.billing_entity,
            plan=truth.plan,
            tax_id=truth.tax_id,
            email=(truth.email or "").lower() or None,
            phone=e164(truth.phone, truth.country),
            city=truth.city,
            entitlement_status=next((one for one in STATUSES if one in statuses), "none"),
            active_entitlements=len(active),
            next_expiry=min(ahead).astimezone(self._settings.timezone).date() if ahead else None,
        )

    # -- one person ------------------------------------------------------------------------------

    def _seat(self, known: Known, wanted: Wanted, before: dict[str, Person]) -> str:
        """Find or make the contact, tell it what it may know; returns why Chatwoot refused."""
        stored = before.get(wanted.key)
        try:
            return self._settled(known, wanted, stored)
        except Missing:
            if not stored:
                raise Unreachable("contact_moved", wanted.key) from None
            # Merged into another, or deleted: found anew, or made anew.
            return self._seat(known, wanted, {})

    def _settled(self, known: Known, wanted: Wanted, stored: Person | None) -> str:
        # Two organizations of one person must not both find nobody and create somebody.
        with self._alone(f"person:{wanted.email or wanted.identifier}"):
            try:
                number, rests_on = self._found(wanted, stored)
                number = number or self._created(known, wanted).id
            except Taken as error:
                return f"{wanted.key}: {error.detail}"
            seat = Person(known.id, wanted.key, number, wanted.role, wanted.email, wanted.phone)
            if seat != stored:
                self._directory.seat(seat)
            self._links.match(number, known.id, rests_on)
        try:
            self._tell(number, wanted)
        except Taken as error:
            return f"contact {number}: {error.detail}"
        self._link_conversations(number)
        return ""

    def _found(self, wanted: Wanted, stored: Person | None) -> tuple[int | None, str]:
        """The contact's number, and the key that the link rests on (design §4.6)."""
        rests_on = "email" if wanted.email else "phone" if wanted.phone else "identifier"
        if stored:
            return stored.contact, rests_on
        for key, value in wanted.values().items():
            contact = self._chatwoot.find(key, value)
            if contact:
                return contact.id, {"phone_number": "phone"}.get(key, key)
        return None, rests_on

    def _created(self, known: Known, wanted: Wanted) -> Contact:
        """A new contact, its attributes in the same call; without the values that others own."""
        fields: dict[str, Any] = {"name": wanted.name, **wanted.values()}
        seat = Person(known.id, wanted.key, 0, wanted.role)
        fields["custom_attributes"] = attributes([(known, seat)])
        for _ in range(LOST_VALUES):
            try:
                return self._chatwoot.create_contact(fields)
            except Taken as taken:
                owner = self._owner(fields, taken)
                if owner:
                    return owner
                fields = _without(fields, taken)
        return self._chatwoot.create_contact(fields)

    def _owner(self, fields: dict[str, Any], taken: Taken) -> Contact | None:
        """Who owns the identifier or e-mail is this person; a shared phone proves nothing."""
        for key in ("identifier", "email"):
            if key in taken.attributes and key in fields:
                owner = self._chatwoot.find(key, fields[key])
                if owner:
                    return owner
        return None

    def _tell(self, number: int, wanted: Wanted | None = None) -> None:
        """Write the difference: attributes, and what was empty. One writer per contact."""
        with self._alone(f"contact:{number}"):
            contact = self._chatwoot.contact(number)
            right = attributes(self._directory.seats_of(number))
            changed = {k: v for k, v in right.items() if contact.attributes.get(k) != v}
            fields: dict[str, Any] = _empty_ones(contact, wanted) if wanted else {}
            if changed:
                fields["custom_attributes"] = changed
            for _ in range(LOST_VALUES + 1):
                if not fields:
                    break
                try:
                    self._chatwoot.update_contact(number, fields)
                    break
                except Taken as taken:
                    fields = _without(fields, taken)
            gone = [key for key in OURS if key in contact.attributes and key not in right]
            if gone:
                self._chatwoot.clear_contact(number, gone)

    # -- who left --------------------------------------------------------------------------------

    def _unseat(self, known: Known, person: Person) -> str:
        """The list no longer names this person: this organization goes, others stay."""
        self._directory.unseat(known.id, [person.key])
        others = [seat for _, seat in self._directory.seats_of(person.contact)]
        if all(seat.organization != known.id for seat in others):
            self._links.unmatch(person.contact, known.id)
        return self._told(person.contact, known.id)

    def _depart(self, organization: int) -> None:
        """Confirmed twice, by the hook and by the back office's own 404: everything of it goes."""
        contacts = {person.contact for person in self._directory.people_of(organization).values()}
        self._directory.forget(organization)
        self._links.forget(organization)
        refused = [
            why for contact in sorted(contacts) if (why := self._told(contact, organization))
        ]
        if refused:
            raise GiveUp("contact_refused", "; ".join(refused))

    def _told(self, contact: int, organization: int) -> str:
        try:
            self._tell(contact)
            self._unlink_conversations(contact, organization)
        except Taken as error:
            return f"contact {contact}: {error.detail}"
        except Missing:
            log.info("contact %d is gone, nothing to clear", contact)
        return ""

    # -- conversations ---------------------------------------------------------------------------

    def _link_conversations(self, contact: int) -> None:
        """Open conversations name the organization; what an agent decided is left alone."""
        seats = {str(known.id): known.name for known, _ in self._directory.seats_of(contact)}
        for number, present in self._chatwoot.open_conversations(contact).items():
            named = str(present.get(ID, ""))
            # Of several organizations only one that the conversation names already is right.
            number_of = next(iter(seats)) if len(seats) == 1 else named
            if number_of not in seats or self._decided(number, contact):
                continue
            right = {ID: number_of, NAME: seats[number_of]}
            if any(present.get(key) != value for key, value in right.items()):
                self._chatwoot.change_conversation(number, dict(right))

    def _unlink_conversations(self, contact: int, organization: int) -> None:
        for number, present in self._chatwoot.open_conversations(contact).items():
            if str(present.get(ID, "")) == str(organization) and not self._decided(number, contact):
                self._chatwoot.change_conversation(number, {ID: None, NAME: None})

    def _decided(self, conversation: int, contact: int) -> bool:
        said = self._links.of(conversation, contact)
        return any(link.state in (PICKED, REFUSED) for link in said)

    def _alone(self, key: str) -> "_Alone":
        return _Alone(self._flights, key)


class _Alone:
    """One holder per key; who cannot have it in time tries the pass again later."""

    def __init__(self, flights: Flights, key: str) -> None:
        self._hold = flights.hold(key, PATIENCE)

    def __enter__(self) -> None:
        if not self._hold.__enter__():
            self._hold.__exit__(None, None, None)
            raise Unreachable("contact_busy", "another pass writes this contact")

    def __exit__(self, *error: Any) -> None:
        self._hold.__exit__(*error)


def _empty_ones(contact: Contact, wanted: Wanted) -> dict[str, str]:
    present = {
        "identifier": contact.identifier,
        "email": contact.email,
        "phone_number": contact.phone,
        "name": contact.name,
    }
    fill = {**wanted.values(), "name": wanted.name}
    return {key: value for key, value in fill.items() if not present[key]}


def _without(fields: dict[str, Any], taken: Taken) -> dict[str, Any]:
    """The fields less those that Chatwoot names; raises `taken` when it names none of them."""
    rest = {key: value for key, value in fields.items() if key not in taken.attributes}
    if len(rest) == len(fields):
        raise taken
    log.info("left out, because Chatwoot refuses it: %s", ", ".join(taken.attributes))
    return rest
