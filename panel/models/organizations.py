"""An organization, and the people who act for it.

Every `from_json` raises `Unreadable("wrong_shape")` for a record without an id, and no other error.
`oddities` are read last, when every field has been read.
"""

from dataclasses import dataclass
from decimal import Decimal

from panel.models.countries import find_country
from panel.models.fields import Fields
from panel.models.text import format_tax_id, normalize_email
from panel.models.values import Illegible, Oddity, Row, Status

ENTITIES = {"middag_br": "MIDDAG BR", "middag_global": "MIDDAG GLOBAL"}
# The areas that a person of an organization may manage, by the plugin's names.
RIGHTS = (
    "org",
    "finances",
    "orders",
    "licenses",
    "tickets",
    "quotes",
    "contracts",
    "documents",
    "downloads",
)
SHOWN_RIGHTS = ("finances", "orders", "quotes", "licenses")  # of documents in the panel
CHECKED = "verified"  # the status after the tax id was found at the registry
CNPJ_LENGTHS = range(12, 15)  # as a number, which may have lost its leading zeros


@dataclass(frozen=True)
class Organization:
    """`verification`: of the tax id at the registry, and of no person."""

    id: int
    name: str
    legal_name: str | None = None
    tax_id: str | None = None
    status: Status | Illegible | None = None
    verification: Status | Illegible | None = None
    plan: str | None = None
    billing_entity: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    owner_id: int | None = None
    oddities: tuple[Oddity, ...] = ()

    @property
    def billing_name(self) -> str | None:
        return ENTITIES.get(self.billing_entity or "", self.billing_entity)

    @property
    def tax_label(self) -> str:
        """Return CNPJ in Brazil, EIN in the United States, else the neutral word."""
        return {"BR": "CNPJ", "US": "EIN"}.get(self.country or "BR", "Tax ID")

    @classmethod
    def from_json(cls, row: Row) -> "Organization":
        fields = Fields(row)
        status = fields.optional_status("status")
        name, legal_name = fields.title("name"), fields.title("legal_name")
        country = find_country(fields.text("country") or "") or None
        return cls(
            id=fields.id,
            name=name or legal_name or f"#{fields.id}",
            legal_name=legal_name,
            tax_id=_read_tax_id(row, fields, country),
            status=status,
            verification=fields.optional_status("verification_status") or _read_check(status),
            plan=fields.name("plan"),
            billing_entity=fields.verbatim("billing_entity", "company"),
            email=fields.email(),
            phone=fields.verbatim("phone"),
            city=fields.text("city"),
            state=fields.text("state"),
            country=country,
            owner_id=fields.whole("owner_id"),
            oddities=fields.oddities,
        )


def _read_check(status: Status | Illegible | None) -> Status | None:
    """Some answers say in `status` that the tax id was checked (REF-701-01 of MIDDAG Account)."""
    return status if isinstance(status, Status) and status.value == CHECKED else None


def _read_tax_id(row: Row, fields: Fields, country: str | None) -> str | None:
    text = fields.verbatim("cnpj", "tax_id") or ""
    if isinstance(row.get("cnpj"), int | Decimal) and len(text) in CNPJ_LENGTHS:
        text = text.zfill(CNPJ_LENGTHS[-1])
    return (format_tax_id(text) if country in (None, "BR") else text) or None


@dataclass(frozen=True)
class Collaborator:
    """A person of an organization; no name and no phone are documented.

    `rights`: the areas of `RIGHTS` that they manage; None where the answer has none of these
    fields.
    """

    id: int
    user_id: int | None
    email: str | None
    role: str
    status: Status | Illegible | None
    name: str | None
    phone: str | None
    invite: Status | Illegible | None = None
    rights: tuple[str, ...] | None = None
    oddities: tuple[Oddity, ...] = ()

    @classmethod
    def from_json(cls, row: Row) -> "Collaborator":
        fields = Fields(row)
        return cls(
            id=fields.id,
            user_id=fields.whole("user_id"),
            email=normalize_email(fields.email()),
            role=(fields.verbatim("role") or "member").lower(),
            status=fields.optional_status("status"),
            name=fields.title("name"),
            phone=fields.verbatim("phone"),
            invite=fields.optional_status("invite_status"),
            rights=_read_rights(fields),
            oddities=fields.oddities,
        )


def _read_rights(fields: Fields) -> tuple[str, ...] | None:
    rights = {area: fields.flag(f"can_manage_{area}") for area in RIGHTS}
    if all(flag is None for flag in rights.values()):
        return None
    return tuple(area for area, flag in rights.items() if flag)
