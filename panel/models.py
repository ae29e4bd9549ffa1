"""The models: what the back office tells us, parsed into plain values, and the rules on them.

Each `from_json` takes the back office's JSON (contracts/middag.md §4), tolerates every
contradiction of §14 there, and raises `Unreadable("wrong_shape")` for what cannot be trusted.
Unknown is kept as `None` or as it came; nothing is invented.
"""

import re
import string
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from panel.errors import Unreadable

CLOSED_ORDERS = frozenset({"completed", "cancelled", "refunded", "failed"})
OPEN_QUOTES = frozenset({"sent", "viewed"})
ENTITIES = {"middag_br": "MIDDAG BR", "middag_global": "MIDDAG GLOBAL"}
TAX_ID_DIGITS = 9  # at least: an EIN has nine, a CPF eleven, a CNPJ fourteen
MOST_DIGITS = 15  # before the point; as many behind it are as absurd
YEARS = range(1900, 9000)  # what lies outside cannot be moved into a zone, and is a mistake

BLANKS = re.compile("[ \t-\r\x85\u2028\u2029]+")  # not the hard blank of amounts
UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

ASCII_LOWER_CASE = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

Row = dict[str, Any]


def normalize_email(text: str | None) -> str | None:
    """An e-mail as it is compared and stored: without blanks around it, ASCII letters lower.

    Nothing but ASCII is folded: `str.lower` makes a `k` of the Kelvin sign (U+212A), and the
    look-alike of an address is another address, which somebody else may own.
    """
    return (text or "").strip(string.whitespace).translate(ASCII_LOWER_CASE) or None


@dataclass(frozen=True)
class Money:
    """`amount` in major units, exact; `currency` is the ISO 4217 code, or empty when not stated."""

    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Status:
    """`value`: lower case, hyphens, without `wc-`; `raw`: as the back office wrote it."""

    value: str
    raw: str


@dataclass(frozen=True)
class Organization:
    id: int
    name: str
    legal_name: str | None = None
    tax_id: str | None = None
    status: Status | None = None
    verification: Status | None = None
    plan: str | None = None
    billing_entity: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    owner_id: int | None = None

    @property
    def billing_name(self) -> str | None:
        return ENTITIES.get(self.billing_entity or "", self.billing_entity)

    @property
    def tax_label(self) -> str:
        """CNPJ in Brazil, EIN in the United States, else the neutral word (contracts §6)."""
        return {"BR": "CNPJ", "US": "EIN"}.get(self.country or "BR", "Tax id")

    @classmethod
    def from_json(cls, row: Row) -> "Organization":
        number = _read_id(row)
        return cls(
            id=number,
            name=_read_title(row, "name") or _read_title(row, "legal_name") or f"#{number}",
            legal_name=_read_title(row, "legal_name"),
            tax_id=_read_text(row, "cnpj") or _read_text(row, "tax_id"),
            status=_read_status(row, "status"),
            verification=_read_status(row, "verification_status"),
            plan=_read_text(row, "plan") or _read_name(row.get("plan")),
            billing_entity=_read_text(row, "billing_entity") or _read_text(row, "company"),
            email=_read_text(row, "email"),
            phone=_read_text(row, "phone"),
            city=_read_text(row, "city"),
            state=_read_text(row, "state"),
            country=_read_text(row, "country"),
            owner_id=read_whole(row, "owner_id"),
        )


@dataclass(frozen=True)
class Order:
    id: int
    status: Status
    total: Money | None
    created: datetime | None
    payment_method: str | None
    items: int | None

    @property
    def active(self) -> bool:
        """Everything that is not surely over is shown; an unknown status is not surely over."""
        return self.status.value not in CLOSED_ORDERS

    @classmethod
    def from_json(cls, row: Row, integer_money: str) -> "Order":
        return cls(
            id=_read_id(row),
            status=_read_status(row, "status") or Status("unknown", ""),
            total=_read_money(row, "total", integer_money),
            created=_read_moment(row, "date_created") or _read_moment(row, "created_at"),
            payment_method=_read_text(row, "payment_method"),
            items=read_whole(row, "items_count"),
        )


@dataclass(frozen=True)
class Quote:
    id: int
    status: Status
    total: Money | None
    valid_until: date | None
    created: datetime | None
    products: tuple[str, ...]

    def pending(self, today: date) -> bool:
        return self.status.value in OPEN_QUOTES and not self.lapsed(today)

    def lapsed(self, today: date) -> bool:
        """Still sent or viewed, but past its date: the back office's own expiry may lag behind."""
        past = self.valid_until is not None and self.valid_until < today
        return self.status.value in OPEN_QUOTES and past

    @classmethod
    def from_json(cls, row: Row, integer_money: str) -> "Quote":
        lines = row.get("line_items")
        names = [_read_text(line, "product_name") for line in read_rows(lines)] if lines else []
        return cls(
            id=_read_id(row),
            status=_read_status(row, "status") or Status("unknown", ""),
            total=_read_money(row, "total", integer_money),
            valid_until=_read_day(row, "valid_until"),
            created=_read_moment(row, "created_at"),
            products=tuple(name for name in names if name),
        )


@dataclass(frozen=True)
class License:
    """`expires` is None for a lifetime license; `limit` is None when `unlimited`, or not stated."""

    id: int
    key: str | None
    product: str | None
    status: Status
    expires: datetime | None
    limit: int | None
    unlimited: bool
    used: int | None
    domains: tuple[str, ...]
    entitlement: str | None

    def active(self, now: datetime) -> bool:
        return self.status.value == "active" and (self.expires is None or self.expires > now)

    def expiring(self, now: datetime, days: int) -> bool:
        soon = self.expires is not None and self.expires <= now + timedelta(days=days)
        return self.active(now) and soon

    def expired(self, now: datetime) -> bool:
        """Past its date, whatever the status says, or called expired."""
        past = self.expires is not None and self.expires <= now
        return self.status.value == "expired" or (self.status.value == "active" and past)

    def recently_expired(self, now: datetime, days: int) -> bool:
        since = now - timedelta(days=days)
        return self.expired(now) and self.expires is not None and since <= self.expires <= now

    @classmethod
    def from_json(cls, row: Row) -> "License":
        domains = row.get("activated_domains")
        limit = read_whole(row, "activations_limit")
        return cls(
            id=_read_id(row),
            key=_read_text(row, "license_key"),
            product=_read_text(row, "product_name"),
            status=_read_status(row, "status") or Status("unknown", ""),
            expires=_read_moment(row, "expires_at"),
            limit=limit if limit and limit > 0 else None,
            # How "no limit" is written is not documented: null, 0 and -1 are all taken for it.
            unlimited="activations_limit" in row and (limit or 0) <= 0,
            used=read_whole(row, "activations_count"),
            domains=tuple(str(name) for name in domains) if isinstance(domains, list) else (),
            entitlement=_read_text(row, "entitlement_code"),
        )


@dataclass(frozen=True)
class Entitlement:
    id: int
    code: str | None
    product: str | None
    status: Status
    expires: datetime | None

    @classmethod
    def from_json(cls, row: Row) -> "Entitlement":
        return cls(
            id=_read_id(row),
            code=_read_text(row, "code"),
            product=_read_text(row, "product_name"),
            status=_read_status(row, "status") or Status("unknown", ""),
            expires=_read_moment(row, "expires_at"),
        )


@dataclass(frozen=True)
class Collaborator:
    """A person of an organization; no name and no phone are documented (contracts §4.6)."""

    id: int
    user_id: int | None
    email: str | None
    role: str
    status: Status | None
    name: str | None
    phone: str | None
    invite: Status | None = None

    @classmethod
    def from_json(cls, row: Row) -> "Collaborator":
        return cls(
            id=_read_id(row),
            user_id=read_whole(row, "user_id"),
            email=normalize_email(_read_text(row, "email")),
            role=(_read_text(row, "role") or "member").lower(),
            status=_read_status(row, "status"),
            name=_read_text(row, "name"),
            phone=_read_text(row, "phone"),
            invite=_read_status(row, "invite_status"),
        )


def sum_amounts(amounts: list[Money]) -> tuple[Money, ...]:
    """One sum per currency, in order of first appearance; currencies are never added together."""
    sums: dict[str, Decimal] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, Decimal(0)) + money.amount
    return tuple(Money(amount, currency) for currency, amount in sums.items())


def read_rows(value: Any) -> list[Row]:
    """The value itself, when it is a list of JSON objects."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Unreadable("wrong_shape", "not a list of objects")
    return value


def _read_id(row: Row) -> int:
    number = read_whole(row, "id")
    if number is None:
        raise Unreadable("wrong_shape", "a record without an id")
    return number


def read_whole(row: Row, key: str) -> int | None:
    """A JSON integer, or its digits in a string (PHP writes both)."""
    value = row.get(key)
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) else None


def _read_text(row: Row, key: str) -> str | None:
    value = row.get(key)
    return clean(value) or None if isinstance(value, str) else None


def clean(text: str) -> str:
    """One line without control characters or halves of characters, which nothing can show or keep.

    Marks of direction stay: names may need them, and what is shown is isolated.
    """
    return UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", BLANKS.sub(" ", text).strip())


def _read_title(row: Row, key: str) -> str | None:
    """A company's name without a tax id in it: in Brazil a sole trader's name ends with their CPF.

    A name is shown, searched and written where a tax id may not be.
    """
    words = (_read_text(row, key) or "").split(" ")
    plain = [word for word in words if sum(each.isdigit() for each in word) < TAX_ID_DIGITS]
    return " ".join(plain).strip() or None


def _read_name(value: Any) -> str | None:
    return _read_text(value, "name") if isinstance(value, dict) else None


def _read_status(row: Row, key: str) -> Status | None:
    """`wc-On Hold`, `on_hold`, `On Hold` are all `on-hold` (contracts §5.2)."""
    raw = _read_text(row, key)
    if raw is None:
        return None
    value = re.sub(r"[\s_]+", "-", raw.lower()).removeprefix("wc-")
    return Status(value, raw)


def _read_money(row: Row, key: str, integer_money: str) -> Money | None:
    """A string is decimal major units; an integer is read by `MIDDAG_INTEGER_MONEY`.

    A float has already lost cents somewhere, so it is refused rather than shown (contracts §4.10).
    """
    value = row.get(key)
    if value is None or value == "":
        return None
    currency = (_read_text(row, "currency") or "").upper()
    if isinstance(value, str):
        return Money(_parse_decimal(value), currency)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable("wrong_shape", "an amount that is neither text nor a whole number")
    places = -2 if integer_money == "cents" else 0
    return Money(_check_amount(Decimal(f"{value}e{places}")), currency)


def _parse_decimal(text: str) -> Decimal:
    try:
        return _check_amount(Decimal(text.strip()))
    except InvalidOperation:
        raise Unreadable("wrong_shape", "an amount that is no decimal number") from None


def _check_amount(amount: Decimal) -> Decimal:
    exponent = amount.as_tuple().exponent
    # Looked at by its digits: arithmetic on 1e9999999 would overflow.
    if isinstance(exponent, str) or exponent < -MOST_DIGITS or amount.adjusted() >= MOST_DIGITS:
        raise Unreadable("wrong_shape", "an amount out of all proportion")
    return amount


def _read_moment(row: Row, key: str) -> datetime | None:
    """ISO 8601; without an offset it is UTC; a bare day lasts to its end, as people mean it."""
    text = _read_date_text(row, key)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(
            f"{text}T23:59:59" if len(text) == len("YYYY-MM-DD") else text
        )
    except ValueError:
        raise Unreadable("wrong_shape", f"{key} is no date") from None
    if found.year not in YEARS:
        raise Unreadable("wrong_shape", f"{key} is out of all proportion")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _read_day(row: Row, key: str) -> date | None:
    """`YYYY-MM-DD`; of a full time, the day that is written there."""
    text = _read_date_text(row, key)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise Unreadable("wrong_shape", f"{key} is no day") from None


def _read_date_text(row: Row, key: str) -> str | None:
    """None for no date. Anything but text is refused: taken for none, an end would never come."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise Unreadable("wrong_shape", f"{key} is no date")
    text = _read_text(row, key)
    empty = ("0000", "-0001")  # WordPress's, and what PHP makes of it
    return None if text and text.startswith(empty) else text
