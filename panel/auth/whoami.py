"""Whoami: finds the user of Chatwoot that credentials belong to. The module calls `GET
/api/v1/profile` of Chatwoot with the agent's own credentials.

These are an access token or a dashboard's session. Chatwoot's answer holds more secrets of that
user. So only the id and the language leave this module, and no credential is kept or told, not even
in an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panel.bulkhead import Bulkhead
from panel.deadline import Deadline
from panel.errors import Missing, Refused, Unauthorized, Unreadable
from panel.upstream.chatwoot import ADMINISTRATOR
from panel.upstream.client import Client

LONGEST = 512  # characters of one credential
LONGEST_LOCALE = 16


NOT_IN_ACCOUNT = "not_in_account"  # a user of Chatwoot, but none of our (active) account


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
        profile = body if isinstance(body, dict) else {}
        number, accounts = profile.get("id"), profile.get("accounts")
        if type(number) is not int or not isinstance(accounts, list):  # True would be an int
            raise Unreadable("wrong_shape", "no profile")
        rows = [row for row in accounts if isinstance(row, dict)]
        ours = [row for row in rows if row.get("id") == self._account]
        # The role in our account counts: that of the profile may be another account's.
        if not ours or ours[0].get("status", "active") != "active" or not _is_agent(ours[0]):
            raise Unauthorized(NOT_IN_ACCOUNT)
        return Profile(number, _read_locale(profile))


def _read_locale(profile: dict[str, Any]) -> str:
    chosen = profile.get("ui_settings")
    locale = chosen.get("locale") if isinstance(chosen, dict) else None
    return locale[:LONGEST_LOCALE] if isinstance(locale, str) else ""


def _is_agent(row: dict[str, Any]) -> bool:
    return row.get("role") in ("agent", ADMINISTRATOR)


def _fits_header(value: str) -> bool:
    printable = value.isascii() and value.isprintable() and " " not in value
    return printable and 0 < len(value) <= LONGEST
