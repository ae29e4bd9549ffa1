"""The desired state of an organization's people in Chatwoot: contacts and their attributes."""

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import Any

from panel.data.directory import COMPANY, GUESSABLE, Known, Person
from panel.models.organizations import Collaborator, Organization
from panel.models.text import normalize_email
from panel.phones import has_extension, normalize_phone
from panel.upstream.chatwoot import ID_ATTRIBUTE, NAME_ATTRIBUTE, ROLE_ATTRIBUTE

ROLES_BY_WEIGHT = (
    "owner",
    "admin",
    "member",
    "guest",
    COMPANY,
)  # the weightiest first (contracts §11)
IDENTIFIER_BYTES = 24
INVITED = "pending"  # has not accepted yet: no person of the organization
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
    """A person as the back office names them."""

    key: str
    role: str
    name: str
    email: str | None = None
    phone: str | None = None
    phone_shared: bool = False

    def list_keys(self) -> dict[str, str]:
        """What finds this person in Chatwoot, in the order of looking.

        No `identifier`: a visitor can write any (contracts/chatwoot.md §3.4).
        """
        # A number of several people names none of them: whoever typed it would be taken for one.
        phone = None if self.phone_shared else self.phone
        found = {"email": self.email, "phone_number": phone}
        return {key: value for key, value in found.items() if value}


def list_people(truth: Organization, people: tuple[Collaborator, ...]) -> list[DesiredPerson]:
    """The company's own contact, then each collaborator with an e-mail; one e-mail, one person.

    An e-mail that a collaborator has is theirs: the company's contact goes without it.
    """
    holders = _count_holders(people, truth.country)
    seats: dict[str, DesiredPerson] = {}
    for each in sorted(people, key=lambda one: (_weigh(one.role), one.id)):
        if each.email and each.role != INVITED:
            seats.setdefault(each.email, _make_person(each, truth.country, holders))
    email = normalize_email(truth.email)
    company = DesiredPerson(
        key=COMPANY,
        role=COMPANY,
        name=truth.name,
        email=None if email in seats else email,
        phone=normalize_phone(truth.phone, truth.country),
        phone_shared=has_extension(truth.phone, truth.country),
    )
    return [company, *seats.values()]


def make_key(each: Collaborator) -> str:
    """The seat's name in our directory."""
    return f"collaborator:{each.id}"


def _count_holders(people: tuple[Collaborator, ...], country: str | None) -> Counter[str]:
    """How many people the back office names for each phone, those too who get no contact."""
    named = {(normalize_phone(each.phone, country), each.email or each.id) for each in people}
    return Counter(phone for phone, _ in named if phone)


def _make_person(each: Collaborator, country: str | None, holders: Counter[str]) -> DesiredPerson:
    """`country`: of the organization, for a number that is written without its own."""
    email, phone = each.email or "", normalize_phone(each.phone, country)
    return DesiredPerson(
        key=make_key(each),
        role=each.role if each.role in ROLES_BY_WEIGHT else "member",
        name=each.name or email.partition("@")[0],
        email=email,
        phone=phone,
        phone_shared=has_extension(each.phone, country) or holders[phone or ""] > 1,
    )


def make_identifier() -> str:
    """For a contact that nothing else tells apart. Whoever guessed it could read that contact."""
    return secrets.token_urlsafe(IDENTIFIER_BYTES)


def is_guessable(identifier: str | None) -> bool:
    """Of an earlier version, or of a visitor who writes as it did. Chatwoot compares without
    case."""
    return (identifier or "").lower().startswith(GUESSABLE)


def make_attributes(seats: list[tuple[Known, Person]]) -> dict[str, Any]:
    """What a contact of these organizations may know about itself (design §4.5).

    Where several organizations differ in plan or billing entity, neither is said.
    """
    known = [one for one, _ in {one.id: (one, seat) for one, seat in seats}.values()]
    if not known:
        return {}
    statuses = {one.entitlement_status for one in known}
    expiries = [one.next_expiry for one in known if one.next_expiry]
    found = {
        ID_ATTRIBUTE: ",".join(str(one.id) for one in known),
        NAME_ATTRIBUTE: ", ".join(one.name for one in known),
        ROLE_ATTRIBUTE: min((seat.role for _, seat in seats), key=_weigh),
        "middag_billing_entity": _common_value(one.billing_entity for one in known),
        "middag_plan": _common_value(one.plan for one in known),
        "middag_entitlement_status": next((s for s in STATUSES_BY_WEIGHT if s in statuses), "none"),
        "middag_active_entitlements": sum(one.active_entitlements for one in known),
        "middag_next_expiry": min(expiries).isoformat() if expiries else None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _common_value(values: Any) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _weigh(role: str) -> int:
    return ROLES_BY_WEIGHT.index(role) if role in ROLES_BY_WEIGHT else len(ROLES_BY_WEIGHT)
