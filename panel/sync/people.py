"""The desired state of an organization's people in Chatwoot: contacts and their attributes."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from panel.data.directory import COMPANY, GUESSABLE, Known, Person
from panel.models.organizations import SHOWN_RIGHTS, Collaborator, Organization
from panel.models.phones import has_extension, identify_line, normalize_phone
from panel.models.text import normalize_email
from panel.models.values import Illegible, Status
from panel.upstream.chatwoot import ID_ATTRIBUTE, NAME_ATTRIBUTE, ROLE_ATTRIBUTE

ROLES_BY_WEIGHT = (
    "owner",
    "admin",
    "member",
    "guest",
    COMPANY,
)  # the weightiest first, as the back office weighs them; the company's own contact acts for nobody
IDENTIFIER_BYTES = 24
# A collaborator is one of the organization while each says so; where it says nothing, it does. An
# invitation makes nobody a member before it is accepted: everybody can invite every address.
NO_ROLE = "pending"
MEMBER_STATUSES = frozenset({"active", "accepted", "publish"})
MEMBER_INVITES = frozenset({"accepted"})
DECIDING_FIELDS = frozenset({"email", "role", "status", "invite_status"})
STATUSES_BY_WEIGHT = (
    "suspended",
    "active",
    "expired",
    "cancelled",
)  # the first that any entitlement has
OUR_ATTRIBUTES = (
    ID_ATTRIBUTE,
    NAME_ATTRIBUTE,
    ROLE_ATTRIBUTE,
    "middag_billing_entity",
    "middag_plan",
    "middag_entitlement_status",
    "middag_active_entitlements",
    "middag_next_expiry",
)


@dataclass(frozen=True)
class DesiredPerson:
    """A person as the back office names them; `phone_shared`: by others too; `lacks`: see
    `Person`."""

    key: str
    role: str
    name: str
    email: str | None = None
    phone: str | None = None
    phone_shared: bool = False
    lacks: str | None = None

    @property
    def own_phone(self) -> str | None:
        """A number of several people names none of them: whoever typed it would be taken for one"""
        return None if self.phone_shared else self.phone

    def list_keys(self) -> dict[str, str]:
        """What finds this person in Chatwoot, in the order of looking.

        No `identifier`: a visitor can write any.
        """
        found = {"email": self.email, "phone_number": self.own_phone}
        return {key: value for key, value in found.items() if value}


def list_people(
    truth: Organization,
    people: Sequence[Collaborator],
    before: Mapping[str, Person] = MappingProxyType({}),
    is_whole: bool = True,
    elsewhere: Collection[Person] = (),
) -> list[DesiredPerson]:
    """The company's own contact, then each member with an e-mail; one e-mail, one person.

    An e-mail that a collaborator has is theirs: the company's contact goes without it. `before`:
    the people of the last pass, by key; those whom a list that is not whole leaves out have their
    e-mails and phones still. `elsewhere`: people of other organizations with these phones.
    """
    named = {make_key(each) for each in people}
    absent = [] if is_whole else [each for key, each in before.items() if key not in named]
    others = [each for each in absent if each.key != COMPANY]
    holders = _find_holders(truth, people, [*others, *elsewhere])
    members = [_read_member(each, before.get(make_key(each))) for each in people]
    seats: dict[str, DesiredPerson] = {}
    for each in sorted(filter(None, members), key=lambda one: (weigh(one.role), one.id)):
        seats.setdefault(each.email or "", _make_person(each, truth.country, holders))
    taken = {*seats, *(each.email for each in others)}
    return [_make_company(truth, taken, holders), *seats.values()]


def _make_company(
    truth: Organization, taken: Collection[str | None], holders: Mapping[str, set[object]]
) -> DesiredPerson:
    email, phone = normalize_email(truth.email), normalize_phone(truth.phone, truth.country)
    return DesiredPerson(
        key=COMPANY,
        role=COMPANY,
        name=truth.name,
        email=None if email in taken else email,
        phone=phone,
        phone_shared=has_extension(truth.phone, truth.country) or _is_shared(phone, holders),
    )


def _read_member(each: Collaborator, stored: Person | None) -> Collaborator | None:
    """The collaborator, if a member with an e-mail; what cannot be read is as the last pass knew
    it, and whom it did not know nobody joins by it."""
    odd = {oddity.field for oddity in each.oddities} & DECIDING_FIELDS
    if not odd:
        return each if each.email and is_member(each) else None
    if stored is None:
        return None
    email = stored.email if "email" in odd else each.email
    role = stored.role if "role" in odd else each.role
    return replace(each, email=email, role=role) if email else None


def is_member(each: Collaborator) -> bool:
    """Is the collaborator one of the organization, or invited, or no longer?"""
    active = _says(each.status, MEMBER_STATUSES)
    return each.role != NO_ROLE and active and _says(each.invite, MEMBER_INVITES)


def _says(status: Status | Illegible | None, words: frozenset[str]) -> bool:
    return status is None or (isinstance(status, Status) and status.value in words)


def list_phones(truth: Organization, people: Sequence[Collaborator]) -> set[str]:
    """Every phone that is named, in E.164."""
    named = [truth.phone, *(each.phone for each in people)]
    return {phone for text in named if (phone := normalize_phone(text, truth.country))}


def list_sharers(
    truth: Organization, people: Sequence[Collaborator], elsewhere: Sequence[Person]
) -> list[Person]:
    """Those of other organizations whose number somebody else has as well."""
    holders = _find_holders(truth, people, elsewhere)
    return [each for each in elsewhere if _is_shared(each.phone, holders)]


def make_key(each: Collaborator) -> str:
    """The seat's name in our directory."""
    return f"collaborator:{each.id}"


def _find_holders(
    truth: Organization, people: Sequence[Collaborator], others: Collection[Person]
) -> dict[str, set[object]]:
    """The people of each phone, those too who get no contact. A company is nobody beside them: the
    number of the company may be its owner's."""
    named: list[tuple[str | None, object]] = [
        (normalize_phone(each.phone, truth.country), each.email or each.id) for each in people
    ]
    named += [(each.phone, each.email or (each.organization, each.key)) for each in others]
    found: dict[str, set[object]] = {}
    for phone, person in named:
        if phone:
            found.setdefault(identify_line(phone), set()).add(person)
    return found


def _is_shared(phone: str | None, holders: Mapping[str, set[object]]) -> bool:
    return bool(phone) and len(holders.get(identify_line(phone or ""), ())) > 1


def _make_person(
    each: Collaborator, country: str | None, holders: Mapping[str, set[object]]
) -> DesiredPerson:
    """`country`: of the organization, for a number that is written without its own."""
    email, phone = each.email or "", normalize_phone(each.phone, country)
    return DesiredPerson(
        key=make_key(each),
        role=each.role if each.role in ROLES_BY_WEIGHT else "member",
        name=each.name or email.partition("@")[0],
        email=email,
        phone=phone,
        phone_shared=has_extension(each.phone, country) or _is_shared(phone, holders),
        lacks=_describe_lacks(each),
    )


def _describe_lacks(each: Collaborator) -> str | None:
    if each.rights is None:
        return None
    return ",".join(area for area in SHOWN_RIGHTS if area not in each.rights)


def make_identifier() -> str:
    """For a contact that nothing else tells apart. Whoever guessed it could read that contact."""
    return secrets.token_urlsafe(IDENTIFIER_BYTES)


def is_guessable(identifier: str | None) -> bool:
    """Of an earlier version, or of a visitor who writes as it did. Chatwoot compares without
    case."""
    return (identifier or "").lower().startswith(GUESSABLE)


def make_attributes(seats: list[tuple[Known, Person]]) -> dict[str, Any]:
    """What a contact of these organizations may know about itself.

    Where several organizations differ in plan or billing entity, neither is said. Of several the
    lowest role is: what the contact may do is not the same everywhere.
    """
    known = [one for one, _ in {one.id: (one, seat) for one, seat in seats}.values()]
    if not known:
        return {}
    statuses = {one.entitlement_status for one in known}
    expiries = [one.next_expiry for one in known if one.next_expiry]
    found = {
        ID_ATTRIBUTE: ",".join(str(one.id) for one in known),
        NAME_ATTRIBUTE: ", ".join(one.name for one in known),
        ROLE_ATTRIBUTE: _find_role(seats),
        "middag_billing_entity": _common_value(one.billing_entity for one in known),
        "middag_plan": _common_value(one.plan for one in known),
        "middag_entitlement_status": find_status(statuses),
        "middag_active_entitlements": sum(one.active_entitlements for one in known),
        "middag_next_expiry": min(expiries).isoformat() if expiries else None,
    }
    return {key: value for key, value in found.items() if value is not None}


def find_status(statuses: Collection[str]) -> str:
    """The weightiest."""
    return next((each for each in STATUSES_BY_WEIGHT if each in statuses), "none")


def _common_value(values: Any) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _find_role(seats: list[tuple[Known, Person]]) -> str:
    """In an organization the weightiest of the contact's seats, of several organizations the
    lowest."""
    by_organization: dict[int, str] = {}
    for known, seat in seats:
        by_organization[known.id] = min(
            by_organization.get(known.id, seat.role), seat.role, key=weigh
        )
    return max(by_organization.values(), key=weigh)


def weigh(role: str) -> int:
    """0 for the weightiest."""
    return ROLES_BY_WEIGHT.index(role) if role in ROLES_BY_WEIGHT else len(ROLES_BY_WEIGHT)
