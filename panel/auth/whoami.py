"""Whoami: finds the user of Chatwoot to whom credentials belong, by `GET /api/v1/profile` of
Chatwoot with the agent's own credentials.

The credentials are an access token or a dashboard's session. Chatwoot's answer holds further
secrets of that user. So only the id and the language leave this module. No credential is kept, and
none stands in an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from panel.bulkhead import Bulkhead
from panel.deadline import Deadline
from panel.errors import Missing, Refused, Unauthorized, Unreadable
from panel.upstream.chatwoot import ADMINISTRATOR
from panel.upstream.client import Client

LONGEST = 512  # characters of one credential
LONGEST_LOCALE = 16
AGENT_ROLES = ("agent", ADMINISTRATOR)
NOT_IN_ACCOUNT = "not_in_account"  # a user of Chatwoot who is not an active one of our account


class User(msgspec.Struct):
    """The part of Chatwoot's answer that we read. `ui_settings` may hold anything."""

    id: int
    accounts: list[Any]
    ui_settings: Any = None


class Membership(msgspec.Struct):
    """A row of `accounts`: what the user may do in one account."""

    id: int
    role: str
    status: str = "active"


@dataclass(frozen=True)
class Profile:
    """A user of our account. `locale`: the language that they chose in their own settings, such as
    `pt_BR`; empty where they use the account's (`ui_settings`, Chatwoot 4.2 to 4.16)."""

    id: int
    locale: str = ""


class Profiles:
    """Asks Chatwoot for profiles. `client` must not send a token of ours: else every stranger would
    count as us.

    An unknown user, or one of another account, raises `Unauthorized`. After any other `PanelError`
    nobody knows who the user is.
    """

    def __init__(self, client: Client, account: int, bulkhead: Bulkhead) -> None:
        self._client = client
        self._bulkhead = bulkhead
        self._account = account

    def find_by_token(self, token: str) -> Profile:
        """Return the user with this access token."""
        return self._ask_profile({"Api-Access-Token": token})

    def find_by_session(self, session: Mapping[str, str], by: Deadline | None = None) -> Profile:
        """Return the user with this dashboard session (`access-token`, `client`, `uid`)."""
        return self._ask_profile(session, by)

    def _ask_profile(self, credentials: Mapping[str, str], by: Deadline | None = None) -> Profile:
        # A value that is no valid header is not sent: it could split one, and libraries quote it in
        # their errors.
        if not all(_fits_header(value) for value in credentials.values()):
            raise Unauthorized
        try:
            with self._bulkhead.enter():
                body = self._client.get("api/v1/profile", headers=credentials, by=by).body
        except (Unauthorized, Refused, Missing):
            raise Unauthorized from None
        return self._read_member(body)

    def _read_member(self, body: Any) -> Profile:
        try:
            user = msgspec.convert(body, User)
        except msgspec.ValidationError:
            raise Unreadable("wrong_shape", "no profile") from None
        memberships = [_read_membership(row) for row in user.accounts]
        ours = next((row for row in memberships if row and row.id == self._account), None)
        # The role in our account counts: that of the profile may be another account's.
        if not ours or ours.status != "active" or ours.role not in AGENT_ROLES:
            raise Unauthorized(NOT_IN_ACCOUNT)
        return Profile(user.id, _read_locale(user.ui_settings))


def _read_membership(row: Any) -> Membership | None:
    """Return None for a row in another form, which is no proof of anything."""
    try:
        return msgspec.convert(row, Membership)
    except msgspec.ValidationError:
        return None


def _read_locale(settings: Any) -> str:
    locale = settings.get("locale") if isinstance(settings, dict) else None
    return locale[:LONGEST_LOCALE] if isinstance(locale, str) else ""


def _fits_header(value: str) -> bool:
    printable = value.isascii() and value.isprintable() and " " not in value
    return printable and 0 < len(value) <= LONGEST
