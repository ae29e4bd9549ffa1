"""Licenses and entitlements, and their validity.

Every `from_json` raises `Unreadable("wrong_shape")` for a record without an id, and no other error.
`oddities` are read last, when every field has been read.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from panel.models.dates import is_past, is_within
from panel.models.fields import Fields
from panel.models.values import Illegible, Oddity, Row, Status

LICENSE_STATUSES = frozenset({"active", "expired", "disabled"})


@dataclass(frozen=True)
class License:
    """`expires` is None when `lifetime`, or not stated; `limit` when `unlimited`, or not stated."""

    id: int
    key: str | None
    product: str | None
    status: Status | Illegible
    expires: date | Illegible | None
    lifetime: bool
    limit: int | None
    unlimited: bool
    used: int | None
    domains: tuple[str, ...]
    entitlement: str | None
    entitlement_id: int | None = None
    created: date | None = None
    oddities: tuple[Oddity, ...] = ()

    def active(self, now: datetime) -> bool:
        return self._is("active") and self._has_ended(now) is False

    def expiring(self, now: datetime, days: int) -> bool:
        end = self.expires
        return self.active(now) and isinstance(end, date) and is_within(end, now, days)

    def expired(self, now: datetime) -> bool:
        """A license is expired past its date, whatever its status, or when its status says so."""
        has_ended = self._has_ended(now)
        return (self._is("expired") and has_ended is not None) or (
            self._is("active") and has_ended is True
        )

    def recently_expired(self, now: datetime, days: int) -> bool:
        end = self.expires
        if not self.expired(now) or not isinstance(end, date) or not is_past(end, now):
            return False
        return not is_past(end, now - timedelta(days=days))

    def undecided(self) -> bool:
        """Tell whether it is unclear if the license is active or expired."""
        if isinstance(self.status, Illegible) or self.status.value not in LICENSE_STATUSES:
            return True
        return isinstance(self.expires, Illegible) and not self._is("disabled")

    def _is(self, status: str) -> bool:
        return isinstance(self.status, Status) and self.status.value == status

    def _has_ended(self, now: datetime) -> bool | None:
        end = self.expires
        return None if isinstance(end, Illegible) else end is not None and is_past(end, now)

    @classmethod
    def from_json(cls, row: Row) -> "License":
        fields = Fields(row)
        expires = fields.end("expires_at")
        limit, unlimited = fields.limit("activations_limit")
        return cls(
            id=fields.id,
            key=fields.verbatim("license_key"),
            product=fields.text("product_name"),
            status=fields.status(),
            expires=expires,
            lifetime=expires is None and fields.has("expires_at"),
            limit=limit,
            unlimited=unlimited,
            used=fields.whole("activations_count"),
            domains=fields.texts("activated_domains"),
            entitlement=fields.verbatim("entitlement_code"),
            entitlement_id=fields.whole("entitlement_id") or None,
            created=fields.moment("created_at"),
            oddities=fields.oddities,
        )


@dataclass(frozen=True)
class Entitlement:
    id: int
    code: str | None
    product: str | None
    status: Status | Illegible
    expires: date | Illegible | None
    oddities: tuple[Oddity, ...] = ()

    @property
    def status_value(self) -> str:
        return "" if isinstance(self.status, Illegible) else self.status.value

    @classmethod
    def from_json(cls, row: Row) -> "Entitlement":
        fields = Fields(row)
        return cls(
            id=fields.id,
            code=fields.verbatim("code"),
            product=fields.text("product_name"),
            status=fields.status(),
            expires=fields.end("expires_at"),
            oddities=fields.oddities,
        )
