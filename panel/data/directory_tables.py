"""The tables of the directory: organizations, their people, and the people's contacts in Chatwoot.

Most people have one contact (`people.contact`). A person who writes by e-mail and by WhatsApp has
several: the further ones stand in `further_contacts`. The evidence for each stands in `links`.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    String,
    Table,
    Text,
    text,
    true,
)

from panel.data.db import metadata, partial_index

HAS_OPEN_WORK = "former_email IS NOT NULL OR merged_into != 0"  # an administrator has to know
COMPANY = "organization"  # the role of the company's own contact

organizations = Table(
    "organizations",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("billing_entity", Text),
    Column("plan", Text),
    Column("tax_id", Text),
    Column("email", Text, index=True),
    Column("phone", String(16), index=True),
    Column("city", Text),
    Column("entitlement_status", String(12), nullable=False),
    Column("active_entitlements", Integer, nullable=False),
    Column("next_expiry", Date),
    Column("phone_shared", Boolean, nullable=False, default=False, server_default=true()),
)

people = Table(
    "people",
    metadata,
    Column("organization", BigInteger, primary_key=True),
    Column("key", String(32), primary_key=True),
    Column("contact", BigInteger, nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("email", Text, index=True),
    Column("phone", String(16), index=True),
    Column("identifier", Text, index=True),
    Column("phone_shared", Boolean, nullable=False, default=False, server_default=true()),
    Column("former_email", Text),
    Column("merged_into", BigInteger, nullable=False, default=0, server_default=text("0")),
    Column("lacks", Text),
    partial_index("people_unsettled", "organization", "key", only=HAS_OPEN_WORK),
)

further_contacts = Table(
    "further_contacts",
    metadata,
    Column("organization", BigInteger, primary_key=True),
    Column("key", String(32), primary_key=True),
    Column("contact", BigInteger, primary_key=True, index=True),
)


@dataclass(frozen=True)
class Known:
    """An organization as the last pass saw it: the source of its contacts' attributes.

    `phone_shared`: other people answer that number as well, as far as the back office shows.
    """

    id: int
    name: str
    billing_entity: str | None
    plan: str | None
    tax_id: str | None
    email: str | None
    phone: str | None
    city: str | None
    entitlement_status: str
    active_entitlements: int
    next_expiry: date | None
    phone_shared: bool = False


@dataclass(frozen=True)
class Person:
    """A person of an organization. `key`: `organization` for the company's own contact, else
    `collaborator:<id>`; `contact` is the number in Chatwoot, 0 until there is one; `phone` in
    E.164; `identifier`: the random one that we wrote where the person has neither e-mail nor phone.

    `former_email`: the e-mail that the contact still shows, where the back office has a new one.
    `merged_into`: the contact into which Chatwoot merged theirs, and which shows none of their
    keys. `lacks`: the rights of `organizations.SHOWN_RIGHTS` that they lack, with commas; None:
    unknown.
    """

    organization: int
    key: str
    contact: int
    role: str
    email: str | None = None
    phone: str | None = None
    identifier: str | None = None
    phone_shared: bool = False
    former_email: str | None = None
    merged_into: int = 0
    lacks: str | None = None
