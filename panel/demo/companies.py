"""The data of the back office about each organization of the demo, relative to a given today.

The rows have the fields of the REST API reference. Ids are the organization's id times 100 and
onwards. Every moment is at noon UTC, so that it is the same day in Brasília.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from panel.demo.backoffice import BackOffice
from panel.demo.world import Json

_AREAS = (
    *("org", "finances", "orders", "licenses", "tickets"),
    *("quotes", "contracts", "documents", "downloads"),
)
_OF_MEMBERS = ("orders", "tickets", "downloads")
_PRODUCTS = ("Plugin Relatórios", "Plugin Certificados", "Tema Campus")
_TAX = Decimal("0.05")


@dataclass(frozen=True)
class Company:
    """The document of an organization and its lists, in which anything may stand.

    `bare`: its envelopes hold only data.
    """

    organization: Json
    collaborators: Iterable[Json] = ()
    orders: Iterable[Json] = ()
    quotes: Iterable[Json] = ()
    licenses: Iterable[Json] = ()
    entitlements: Iterable[Json] = ()
    bare: bool = False


def load(office: BackOffice, company: Company) -> None:
    """Put one company into the back office."""
    number = company.organization["id"]
    office.put("organization", number, company.organization)
    for section in ("collaborators", "orders", "quotes", "licenses", "entitlements"):
        office.rows(section, number)[:] = list(getattr(company, section))
    if company.bare:
        office.bare.add(number)


@dataclass(frozen=True)
class Maker:
    """Makes the rows of one organization; days are counted from `today`."""

    today: date
    number: int
    entity: str = "middag_br"
    currency: str = "BRL"

    def day(self, days: int) -> str:
        return (self.today + timedelta(days)).isoformat()

    def noon(self, days: int | None) -> str | None:
        return None if days is None else f"{self.day(days)}T12:00:00Z"

    def organization(self, name: str, mail: str, **fields: object) -> Json:
        common = {"status": "publish", "verification_status": "verified", "type": "company"}
        return {
            "id": self.number,
            "name": name,
            "legal_name": f"{name.removesuffix(' Ltda')} Tecnologia Ltda",
            "cnpj": cnpj(f"{11222000 + self.number:08d}0001"),
            "state_registration": None,
            "email": f"financeiro@{mail}",
            "phone": f"+55 61 3322-{self.number:04d}",
            "address": f"SCS Quadra {self.number}",
            "city": "Brasília",
            "state": "DF",
            "country": "BR",
            "zipcode": "70300-500",
            "owner_id": self.number * 100 + 1,
            "requires_invoice_for_payment": True,
            "billing_entity": self.entity,
            "created_at": self.noon(-700),
            "updated_at": self.noon(-12),
            **common,
            **fields,
        }

    def collaborator(self, at: int, email: str, role: str = "member", **fields: object) -> Json:
        manages = {"owner": _AREAS, "admin": _AREAS, "member": _OF_MEMBERS}.get(role, ())
        pending = role == "pending"
        return {
            "id": self.number * 100 + at,
            "organization_id": self.number,
            "user_id": None if pending else self.number * 100 + at,
            "email": email,
            "role": role,
            "status": "active",
            **{f"can_manage_{area}": area in manages for area in _AREAS},
            "invite_status": "pending" if pending else "accepted",
            "created_at": self.noon(-600),
            "updated_at": self.noon(-30),
            **fields,
        }

    def order(self, at: int, status: str, total: str | int, days: int, **fields: object) -> Json:
        return {
            "id": self.number * 100 + at,
            "status": status,
            "total": total,
            "currency": self.currency,
            "date_created": self.noon(days),
            "date_completed": self.noon(days + 1) if status == "completed" else None,
            "payment_method": "stripe",
            "items_count": 1 + at % 3,
            **self._bill(at, total),
            "entitlements": self.grants(1 + at % 2) if status == "completed" else [],
            "notes": None,
            **fields,
        }

    def _bill(self, at: int, total: str | int) -> Json:
        """Make lines, subtotal and tax of an order; amounts where its total is a decimal string."""
        count = 1 + at % 3
        lines: list[Json] = [{"product_name": name, "quantity": 1} for name in _PRODUCTS[:count]]
        if not isinstance(total, str) or not re.fullmatch(r"[0-9]+\.[0-9]{2}", total):
            return {"line_items": lines}
        tax = (Decimal(total) * _TAX).quantize(Decimal("0.01"))
        net = Decimal(total) - tax
        share = (net / count).quantize(Decimal("0.01"))
        prices = [net - share * (count - 1), *[share] * (count - 1)]
        for line, price in zip(lines, prices, strict=True):
            line |= {"unit_price": str(price), "total": str(price), "entitlement_class": "PLG"}
        return {"line_items": lines, "subtotal": str(net), "tax_total": str(tax)}

    def grants(self, *at: int) -> list[Json]:
        """Make entitlements as an order names them; `at`: of which licenses."""
        return [{"id": self.number * 100 + place, "code": self._code(place)} for place in at]

    def _code(self, at: int) -> str:
        return f"PLG-202604{self.number * 100 + at:04d}"

    def quote(self, at: int, status: str, total: str, valid: int, **fields: object) -> Json:
        line = {"product_name": "Plugin Relatórios", "quantity": 1, "unit_price": total}
        return {
            "id": self.number * 100 + at,
            "status": status,
            "total": total,
            "currency": self.currency,
            "valid_until": self.day(valid),
            "organization_id": self.number,
            "line_items": [{**line, "entitlement_class": "PLG"}],
            "created_at": self.noon(valid - 30),
            "subtotal": total,
            "company": self.entity,
            "order_id": None,
            "entitlement_ids": [],
            "notes": None,
            "rejection_reason": None,
            "updated_at": self.noon(valid - 29),
            **fields,
        }

    def license(
        self, at: int, product: str, expires: int | None, status: str = "active", **fields: object
    ) -> Json:
        return {
            "id": self.number * 100 + at,
            "license_key": key(self.number * 100 + at),
            "product_name": product,
            "status": status,
            "entitlement_id": self.number * 100 + at,
            "entitlement_code": self._code(at),
            "activations_limit": 3,
            "activations_count": 1,
            "activated_domains": [f"site{at}.example"],
            "expires_at": self.noon(expires),
            "created_at": self.noon(min(expires or 0, 0) - 365),
            "updated_at": self.noon(min(expires or 0, 0) - 10),
            **fields,
        }

    def entitlements(self, licenses: Iterable[Json]) -> list[Json]:
        """Make an entitlement for each license; a disabled license comes from a suspended one."""
        return [
            {
                "id": row["entitlement_id"],
                "code": row["entitlement_code"],
                "class": "PLG",
                "product_name": row["product_name"],
                "status": {"disabled": "suspended"}.get(row["status"], row["status"]),
                "organization_id": self.number,
                "company": self.entity,
                "expires_at": row["expires_at"],
                "auto_created": True,
                "created_at": row["created_at"],
                "updated_at": row["created_at"],
            }
            for row in licenses
        ]


def small(make: Maker, name: str, mail: str, **fields: object) -> Company:
    """Make a healthy small organization: two open orders, one quote, two licenses."""
    licenses = [
        make.license(1, "Plugin Relatórios", 210),
        make.license(2, "Plugin Certificados", 24),
    ]
    return Company(
        make.organization(name, mail, plan="Basic", **fields),
        [make.collaborator(1, f"contato@{mail}", "owner"), make.collaborator(2, f"ti@{mail}")],
        [
            make.order(1, "pending", "490.00", -2),
            make.order(2, "processing", "1250.00", -6),
            make.order(3, "completed", "890.00", -70),
        ],
        [make.quote(1, "sent", "5400.00", 18)],
        licenses,
        make.entitlements(licenses),
    )


def calm(make: Maker, name: str, mail: str, **fields: object) -> Company:
    """Make an organization without anything due: all is paid, no license ends soon."""
    licenses = [
        make.license(1, "Plugin Relatórios", 210),
        make.license(2, "Plugin Certificados", 320, activations_count=2),
    ]
    return Company(
        make.organization(name, mail, plan="Business", **fields),
        [make.collaborator(1, f"contato@{mail}", "owner"), make.collaborator(2, f"ti@{mail}")],
        [
            make.order(1, "processing", "1250.00", -1, payment_method="pix"),
            make.order(2, "completed", "890.00", -45),
            make.order(3, "completed", "490.00", -155),
        ],
        [make.quote(1, "sent", "5400.00", 40)],
        licenses,
        make.entitlements(licenses),
    )


def cnpj(root: str) -> str:
    """Make the formatted Brazilian company number of twelve digits, with its two check digits."""
    digits = [int(digit) for digit in root]
    for weights in ([5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]):
        rest = sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    text = "".join(map(str, digits))
    return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"


def key(number: int) -> str:
    """Make a license key of four groups of four, always the same for the same license."""
    text = hashlib.sha256(f"license {number}".encode()).hexdigest()[:16].upper()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


Recipe = Callable[[Maker], Company]
