"""The data of the built-in Chatwoot: one account, as plain JSON that tests read and change."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from panel.demo import records
from panel.demo.outbox import Outbox
from panel.demo.world import Json

WIDGET_CHANNEL, API_CHANNEL = "Channel::WebWidget", "Channel::Api"
Answer = tuple[int, Any]  # status and JSON document; None: an empty body


@dataclass(frozen=True)
class Ask:
    """A call with a valid proof: its user, the ids in the path, the query and the JSON body."""

    user: Json
    ids: dict[str, int]
    query: dict[str, str]
    body: Json

    @property
    def page(self) -> int:
        """Return the page of a list, from 1."""
        text = str(self.asked_page)
        return max(int(text), 1) if text.isdecimal() else 1

    @property
    def asked_page(self) -> str | int:
        """Return the page as Chatwoot repeats it in `current_page`: the query's text, or 1."""
        return self.query.get("page", 1)


@dataclass(frozen=True)
class Route:
    """A row of Chatwoot's API below /api/v1/accounts/{account}."""

    method: str
    path: str
    handle: Callable[[Account, Ask], Answer]
    admin: bool = False
    writes: bool = False


class Refusal(Exception):
    """An answer of another status; the body is one of Chatwoot's error shapes."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class Account:
    """Contacts, conversations, people and settings of one Chatwoot account, each by its id.

    A conversation has `contact_id`, `inbox_id` and `team_id`; `inbox_members` and `team_members`
    hold agent ids by inbox and by team; `tokens` gives the agent of an access token, `sessions` of
    (access-token, client, uid). `channels`: the channel of each inbox, by which visitors come in;
    `visitors`: the session of a visitor's token; `signed_visitors`: those whose identifier was
    signed once.

    Tests switch `locale` ("pt_BR", the dashboard's language; None: the account names no language),
    `version` ("4.16.2", as `GET /api` says it: an older one lacks newer features), `status`
    ("suspended": 401 to every call), `api_enabled` (False: 403 to access tokens), `other_accounts`
    (ids that answer 401; any other id is unknown and answers 404), `foreign_tokens` (of people of
    other accounts: 401), `bot_tokens` (401), `outbox.sending` (webhooks are sent).
    """

    def __init__(self, account_id: int = 1) -> None:
        self.account_id = account_id
        self.name = "Demo"
        self.locale: str | None = None
        self.version = "4.16.2"
        self.status = "active"
        self.api_enabled = True
        self.other_accounts: set[int] = set()
        self.foreign_tokens: set[str] = set()
        self.bot_tokens: set[str] = set()
        self.merge = False
        self.contacts: dict[int, Json] = {}
        self.conversations: dict[int, Json] = {}
        self.agents: dict[int, Json] = {}
        self.inboxes: dict[int, Json] = {}
        self.inbox_members: dict[int, set[int]] = {}
        self.teams: dict[int, Json] = {}
        self.team_members: dict[int, set[int]] = {}
        self.channels: dict[int, Json] = {}
        self.visitors: dict[str, Any] = {}
        self.signed_visitors: set[Any] = set()
        self.definitions: dict[int, Json] = {}
        self.webhooks: dict[int, Json] = {}
        self.outbox = Outbox()
        self.dashboard_apps: dict[int, Json] = {}
        self.tokens: dict[str, int] = {}
        self.sessions: dict[tuple[str, str, str], int] = {}
        self._last = 1000

    def is_since(self, *version: int) -> bool:
        """Tell whether this Chatwoot has that version (a fork's: `v4.15.1-fork`) or a newer one."""
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        return numbers >= version

    def next_id(self, table: dict[int, Json]) -> int:
        """Return an id that no row has had."""
        self._last = max(self._last, *table, 0) + 1
        return self._last

    def add_agent(
        self, agent: int, name: str, email: str, role: str = "agent", token: str | None = None
    ) -> str:
        """Add a person of the account; returns the access token."""
        token = token or secrets.token_hex(12)
        self.tokens[token] = agent
        self.agents[agent] = records.agent_row(agent, self.account_id, name, email, role)
        return token

    def add_inbox(self, inbox: int, name: str, channel: str, members: set[int]) -> None:
        """Add an inbox with the agents who may see it."""
        self.inboxes[inbox] = {"id": inbox, "name": name, "channel_type": channel}
        self.inbox_members[inbox] = set(members)
        self.channels[inbox] = {
            "website_token": f"website-{inbox}" if channel == WIDGET_CHANNEL else None,
            "inbox_identifier": f"inbox-{inbox}" if channel == API_CHANNEL else None,
            "hmac_mandatory": False if channel in (WIDGET_CHANNEL, API_CHANNEL) else None,
            "hmac_token": secrets.token_hex(12),
        }

    def add_team(self, team: int, name: str, members: set[int]) -> None:
        """Add a team; its agents may read the conversations that have this `team_id`."""
        self.teams[team] = records.team_row(team, self.account_id, name)
        self.team_members[team] = set(members)

    def add_contact(self, contact: int | None = None, **fields: Any) -> Json:
        """Add a contact as it is, without Chatwoot's checks."""
        number = contact or self.next_id(self.contacts)
        self.contacts[number] = records.contact_row(number, fields)
        return self.contacts[number]

    def add_conversation(
        self, contact: int, inbox: int = 1, conversation: int | None = None, **fields: Any
    ) -> Json:
        """Add a conversation of a contact in an inbox; `conversation` is its display id.

        The contact joins the inbox, where it has not joined before.
        """
        number = conversation or self.next_id(self.conversations)
        row = records.conversation_row(number, contact, inbox, fields)
        self.conversations[number] = row
        contact_inboxes = (
            self.contacts[contact]["contact_inboxes"] if contact in self.contacts else []
        )
        if inbox in self.inboxes and all(row["inbox"]["id"] != inbox for row in contact_inboxes):
            source = row["source_id"] or row["uuid"]
            contact_inboxes.append({"inbox": self.inboxes[inbox], "source_id": source})
        return row

    def add_message(self, conversation: int, text: str, **fields: Any) -> Json:
        """Add a message of the contact; `fields`: `message_type=1`, `private`, `sender`, …"""
        talk = self.conversations[conversation]
        number = self.next_id(self.conversations)
        message = records.message_row(number, talk, text, fields)
        talk["messages"].append(message)
        return message

    def add_mail(
        self, conversation: int, text: str, html: str | None = None, **headers: Any
    ) -> Json:
        """Add a mail of the contact; `headers`: `from_`, `to`, `cc` (lists), `subject`.

        `from_` is the value of `content_attributes.email.from` in Chatwoot: the address of
        `Reply-To` where the mail has one. Its default is the contact's own address.
        """
        contact = self.contacts[self.conversations[conversation]["contact_id"]]
        sender = headers.pop("from_", None) or [contact["email"]]
        fields_of_mail = {"to": ["suporte@middag.example"], "subject": "Support"}
        fields_of_mail["date"] = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime())
        fields_of_mail |= {
            "message_id": f"{secrets.token_hex(8)}@mail.example",
            "from": sender,
            **headers,
        }
        content = records.mail_attributes(text, html, fields_of_mail)
        fields = {"content_type": "incoming_email", "source_id": fields_of_mail["message_id"]}
        return self.add_message(conversation, text, content_attributes=content, **fields)

    def publish(self, event: Json) -> None:
        """Send an event to the webhooks that subscribe to it."""
        for hook in self.webhooks.values() if self.api_enabled else ():
            if event["event"] in hook["subscriptions"]:
                secret = hook["secret"] if self.is_since(4, 11, 2) else None
                self.outbox.send(hook["url"], secret, event)

    def may_see(self, user: Json, inbox: int) -> bool:
        """Tell whether the user may see the inbox: an administrator every inbox, an agent those
        they are a member of."""
        return user["role"] == "administrator" or user["id"] in self.inbox_members.get(inbox, ())

    def may_read(self, user: Json, conversation: Json) -> bool:
        """Tell whether the user may read the conversation. Since 4.8.0 a team may read its
        conversation, though no list shows it to them."""
        team = self.team_members.get(conversation["team_id"] or 0, ())
        in_team = user["id"] in team and self.is_since(4, 8)
        return self.may_see(user, conversation["inbox_id"]) or in_team


def find_row(table: dict[int, Json], number: int) -> Json:
    """Return the row, or raise Chatwoot's 404."""
    if number not in table:
        raise Refusal(404, {"error": "Resource could not be found"})
    return table[number]


def invalid(message: str, *attributes: str) -> Refusal:
    """Refuse as a failed validation does, whose sentence is translated, unlike the attributes."""
    return Refusal(422, {"message": message, "attributes": list(attributes)})


def unwrap(body: Json, root: str) -> Json:
    """Return the body below its root key; flat JSON is wrapped, as Rails does."""
    inner = body.get(root, body)
    if not isinstance(inner, dict) or not inner:
        message = f"param is missing or the value is empty or invalid: {root}"
        raise Refusal(422, {"error": message})
    return inner
