"""The plugin's part: changes data in the back office, and sends the panel a hook for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import requests

from panel.demo.backoffice import BackOffice
from panel.demo.world import Json

OPEN = ("pending", "processing", "on-hold")


class Plugin:
    """Posts to `url` with the shared secret, over real HTTP."""

    def __init__(self, office: BackOffice, url: str, secret: str) -> None:
        self._office = office
        self._url = f"{url}/sync/hooks"
        self._secret = secret
        self.deeds: dict[str, tuple[str, Callable[[int], tuple[str, int]]]] = {
            "order": ("New order", self._order),
            "suspend": ("Suspend or resume", self._suspend),
            "collaborator": ("New collaborator", self._collaborator),
            "organization": ("Organization changed", _update),
        }

    def do(self, deed: str, organization: int) -> Json:
        """Returns the panel's answer; KeyError for an unknown deed."""
        event, subject = self.deeds[deed][1](organization)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        hook = {"event": event, "timestamp": now, "id": str(uuid.uuid4())}
        answer = requests.post(
            self._url,
            json={**hook, "data": {"organization_id": organization, "id": subject}},
            headers={"Authorization": f"Bearer {self._secret}"},
            timeout=10,
        )
        answer_body: Json = answer.json()
        return {"event": event, "status": answer.status_code, "answer": answer_body}

    def _order(self, organization: int) -> tuple[str, int]:
        rows = self._office.rows("orders", organization)
        number = max((row["id"] for row in rows), default=organization * 100) + 1
        order = {"id": number, "status": OPEN[number % 3], "total": "99.90", "currency": "BRL"}
        order |= {"date_created": datetime.now(UTC).isoformat(), "items_count": 1}
        self._office.put("orders", organization, order)
        return "order.created", number

    def _suspend(self, organization: int) -> tuple[str, int]:
        rows = self._office.rows("entitlements", organization)
        active = any(row["status"] == "active" for row in rows)
        for row in rows:
            status = "suspended" if active else "active"
            self._office.put("entitlements", organization, {**row, "status": status})
        event = "entitlement.suspended" if active else "entitlement.activated"
        return event, rows[0]["id"] if rows else organization

    def _collaborator(self, organization: int) -> tuple[str, int]:
        rows = self._office.rows("collaborators", organization)
        number = max((row["id"] for row in rows), default=organization * 100) + 1
        email = f"pessoa{number}@organizacao{organization}.example"
        row = {"id": number, "organization_id": organization, "user_id": None, "email": email}
        self._office.put("collaborators", organization, {**row, "role": "member"})
        return "collaborator.added", number


def _update(organization: int) -> tuple[str, int]:
    return "organization.updated", organization
