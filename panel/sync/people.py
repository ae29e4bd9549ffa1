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
)  # the weightiest first, in the back office's order; the company's own contact has no rights
IDENTIFIER_BYTES = 24
# A collaborator is a member while status and invitation both allow it; a missing value allows it.
# An invitation makes nobody a member before it is accepted: anybody can invite any address.
NO_ROLES = frozenset({"pending", "pendente", "invited"})
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
    """A person as the back office names them. `phone_shared`: other people have the phone too;
    `lacks`: see `Person`."""

    key: str
    role: str
    name: str
    email: str | None = None
    phone: str | None = None
    phone_shared: bool = False
    lacks: str | None = None

    @property
    def own_phone(self) -> str | None:
        """Return the phone, unless several people share it: a visitor who types a shared number
        must not be taken for one of them."""
        return None if self.phone_shared else self.phone

    def list_keys(self) -> dict[str, str]:
        """Return the keys by which this person is searched in Chatwoot, in the order of the search.

        The `identifier` is none of them, because a visitor can write any identifier.
        """
        keys = {"email": self.email, "phone_number": self.own_phone}
        return {key: value for key, value in keys.items() if value}


def list_people(
    truth: Organization,
    people: Sequence[Collaborator],
    before: Mapping[str, Person] = MappingProxyType({}),
    is_whole: bool = True,
    elsewhere: Collection[Person] = (),
) -> list[DesiredPerson]:
    """Return the company's own contact, then one person for each e-mail of a member.

    A collaborator's e-mail belongs to them alone: the company's own contact does not get it.
    `before`: the people of the last pass, by key. The e-mails and phones of people whom an
    incomplete list leaves out still count as theirs. `elsewhere`: people of other organizations
    with these phones.
    """
    keys = {make_key(person) for person in people}
    absent = [] if is_whole else [person for key, person in before.items() if key not in keys]
    absent_members = [person for person in absent if person.key != COMPANY]
    holders = _find_holders(truth, people, [*absent_members, *elsewhere])
    members = [_read_member(person, before.get(make_key(person))) for person in people]
    seats: dict[str, DesiredPerson] = {}
    for person in sorted(filter(None, members), key=lambda member: (weigh(member.role), member.id)):
        seats.setdefault(person.email or "", _make_person(person, truth.country, holders))
    addresses = {*seats, *(person.email for person in absent_members)}
    return [_make_company(truth, addresses, holders), *seats.values()]


def _make_company(
    truth: Organization, taken_emails: Collection[str | None], holders: Mapping[str, set[object]]
) -> DesiredPerson:
    email, phone = normalize_email(truth.email), normalize_phone(truth.phone, truth.country)
    return DesiredPerson(
        key=COMPANY,
        role=COMPANY,
        name=truth.name,
        email=None if email in taken_emails else email,
        phone=phone,
        phone_shared=has_extension(truth.phone, truth.country) or _is_shared(phone, holders),
    )


def _read_member(collaborator: Collaborator, stored: Person | None) -> Collaborator | None:
    """Return the collaborator if they are a member with an e-mail. Illegible fields keep the last
    pass's values. A new person with illegible fields does not become a member."""
    odd = {oddity.field for oddity in collaborator.oddities} & DECIDING_FIELDS
    if not odd:
        return collaborator if collaborator.email and is_member(collaborator) else None
    if stored is None:
        return None
    email = stored.email if "email" in odd else collaborator.email
    role = stored.role if "role" in odd else collaborator.role
    return replace(collaborator, email=email, role=role) if email else None


def is_member(collaborator: Collaborator) -> bool:
    """Tell whether the collaborator is a member: not merely invited, and not gone."""
    active = _says(collaborator.status, MEMBER_STATUSES)
    accepted = _says(collaborator.invite, MEMBER_INVITES)
    return collaborator.role not in NO_ROLES and active and accepted


def _says(status: Status | Illegible | None, words: frozenset[str]) -> bool:
    return status is None or (isinstance(status, Status) and status.value in words)


def list_phones(truth: Organization, people: Sequence[Collaborator]) -> set[str]:
    """Return every phone of the company and its people, in E.164."""
    texts = [truth.phone, *(person.phone for person in people)]
    return {phone for text in texts if (phone := normalize_phone(text, truth.country))}


def list_sharers(
    truth: Organization, people: Sequence[Collaborator], elsewhere: Sequence[Person]
) -> list[Person]:
    """Return people of other organizations who share their number with somebody."""
    holders = _find_holders(truth, people, elsewhere)
    return [person for person in elsewhere if _is_shared(person.phone, holders)]


def make_key(collaborator: Collaborator) -> str:
    """Return the key of the seat in our directory."""
    return f"collaborator:{collaborator.id}"


def _find_holders(
    truth: Organization, people: Sequence[Collaborator], others: Collection[Person]
) -> dict[str, set[object]]:
    """Return the people of each phone, also people who get no contact. A company does not count as
    a person: its number may be its owner's."""
    pairs: list[tuple[str | None, object]] = [
        (normalize_phone(somebody.phone, truth.country), somebody.email or somebody.id)
        for somebody in people
    ]
    pairs += [
        (somebody.phone, somebody.email or (somebody.organization, somebody.key))
        for somebody in others
    ]
    holders: dict[str, set[object]] = {}
    for phone, person in pairs:
        if phone:
            holders.setdefault(identify_line(phone), set()).add(person)
    return holders


def _is_shared(phone: str | None, holders: Mapping[str, set[object]]) -> bool:
    return bool(phone) and len(holders.get(identify_line(phone or ""), ())) > 1


def _make_person(
    collaborator: Collaborator, country: str | None, holders: Mapping[str, set[object]]
) -> DesiredPerson:
    """`country`: of the organization, for a number that is written without its own."""
    email, phone = collaborator.email or "", normalize_phone(collaborator.phone, country)
    return DesiredPerson(
        key=make_key(collaborator),
        role=collaborator.role if collaborator.role in ROLES_BY_WEIGHT else "member",
        name=collaborator.name or email.partition("@")[0],
        email=email,
        phone=phone,
        phone_shared=has_extension(collaborator.phone, country) or _is_shared(phone, holders),
        lacks=_describe_lacks(collaborator),
    )


def _describe_lacks(collaborator: Collaborator) -> str | None:
    if collaborator.rights is None:
        return None
    return ",".join(area for area in SHOWN_RIGHTS if area not in collaborator.rights)


def make_identifier() -> str:
    """Make a random identifier, for a contact that has no other key. With a guessable one, anybody
    could read the contact."""
    return secrets.token_urlsafe(IDENTIFIER_BYTES)


def is_guessable(identifier: str | None) -> bool:
    """Tell whether the identifier has an earlier version's form, even if a visitor wrote it.
    Chatwoot compares without case."""
    return (identifier or "").lower().startswith(GUESSABLE)


def make_attributes(seats: list[tuple[Known, Person]]) -> dict[str, Any]:
    """Return the attributes that a contact of these organizations may have.

    Where organizations differ in plan or billing entity, the attribute is left out. The lowest role
    is written, because the contact has more rights in some organizations than in others.
    """
    companies = list({company.id: company for company, _ in seats}.values())
    if not companies:
        return {}
    statuses = {company.entitlement_status for company in companies}
    expiries = [company.next_expiry for company in companies if company.next_expiry]
    values = {
        ID_ATTRIBUTE: ",".join(str(company.id) for company in companies),
        NAME_ATTRIBUTE: ", ".join(company.name for company in companies),
        ROLE_ATTRIBUTE: _find_role(seats),
        "middag_billing_entity": _common_value(company.billing_entity for company in companies),
        "middag_plan": _common_value(company.plan for company in companies),
        "middag_entitlement_status": find_status(statuses),
        "middag_active_entitlements": sum(company.active_entitlements for company in companies),
        "middag_next_expiry": min(expiries).isoformat() if expiries else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def find_status(statuses: Collection[str]) -> str:
    """Return the weightiest status."""
    return next((status for status in STATUSES_BY_WEIGHT if status in statuses), "none")


def _common_value(values: Any) -> str | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _find_role(seats: list[tuple[Known, Person]]) -> str:
    """Return the lowest of the contact's roles over its organizations; in each organization its
    weightiest role counts."""
    by_organization: dict[int, str] = {}
    for company, seat in seats:
        by_organization[company.id] = min(
            by_organization.get(company.id, seat.role), seat.role, key=weigh
        )
    return max(by_organization.values(), key=weigh)


def weigh(role: str) -> int:
    """Return the role's weight, 0 for the weightiest."""
    return ROLES_BY_WEIGHT.index(role) if role in ROLES_BY_WEIGHT else len(ROLES_BY_WEIGHT)
