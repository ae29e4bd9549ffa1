"""The records of Chatwoot as plain values, and the parsers of its JSON.

Every `parse_…` raises `Unreadable("wrong_shape")`. The keys were seen on 4.3.0 and 4.16.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle
from typing import Any

from panel.errors import GiveUp, Unreadable
from panel.models.text import clean, normalize_email
from panel.upstream.chatwoot_languages import COMPANY_FIELD, read_languages

ADMINISTRATOR = "administrator"
LONGEST_NAME = 255  # characters that a contact's name may have
# The custom attributes that say which organization a contact or conversation belongs to.
ID_ATTRIBUTE = "middag_organization_id"
NAME_ATTRIBUTE = "middag_organization"
ROLE_ATTRIBUTE = "middag_role"
# Visitors of these channels can read the whole contact.
PUBLIC_CHANNELS = frozenset({"Channel::WebWidget", "Channel::Api"})
RESOLVED = "resolved"
LIVING_STATUSES = ("open", "pending", "snoozed")
# The operators of filters, which compare without case.
EQUAL, CONTAINS, PRESENT, ABSENT = "equal_to", "contains", "is_present", "is_not_present"

AGENT_KEYS = ("id", "name", "email", "role")


@dataclass(frozen=True)
class Agent:
    """`role`: `agent` or `administrator`."""

    id: int
    name: str
    email: str
    role: str


@dataclass(frozen=True)
class Contact:
    """`has_inbox`: an inbox knows the contact, so that somebody may be speaking through it.

    `public`: it is in a website's or an API's inbox, whose visitors can read all of it, or Chatwoot
    does not say. `company`: the name that agents typed into Chatwoot's own field.
    """

    id: int
    name: str
    email: str | None
    phone: str | None
    identifier: str | None
    attributes: dict[str, Any]
    has_inbox: bool = False
    public: bool = True
    company: str = ""


@dataclass(frozen=True)
class Conversation:
    """`id` is the display id; `channel` e.g. `Channel::WebWidget`; `signed`: `hmac_verified`.

    `team`: the team that it is assigned to, whose members may see it without being in the inbox
    (4.8). `languages`: of the customer, the likeliest first; empty where Chatwoot knows none.
    `active_at` (last message) and `waiting_since` (the customer's first unanswered message) are
    epoch seconds, 0 where Chatwoot does not tell. `status`: open, pending, snoozed or resolved.
    """

    id: int
    inbox: int
    channel: str
    signed: bool
    contact: Contact
    attributes: dict[str, Any]
    team: int | None = None
    languages: tuple[str, ...] = ()
    created_at: float = 0.0
    active_at: float = 0.0
    waiting_since: float = 0.0
    status: str = ""


@dataclass(frozen=True)
class Message:
    """A message. `source`: the writer's own id of the message; `created_at`: epoch seconds."""

    id: int
    content: str
    private: bool
    source: str
    created_at: float


@dataclass(frozen=True)
class ListedConversation:
    """A row of a contact's list. `status`: open, pending, snoozed or resolved."""

    id: int
    status: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """A condition of Chatwoot's filters on a standard key, or on a defined custom attribute.

    `value`: of several values, any one may match.
    """

    key: str
    value: str | tuple[str, ...]
    operator: str = EQUAL

    @property
    def values(self) -> tuple[str, ...]:
        return (self.value,) if isinstance(self.value, str) else self.value


class ValuesRefused(GiveUp):
    """Chatwoot refuses the values of `attributes`: mostly, another contact owns them."""

    code = "refused_by_chatwoot"

    def __init__(self, attributes: tuple[str, ...]) -> None:
        super().__init__(detail=", ".join(attributes) or "without saying which value")
        self.attributes = attributes


def make_question(conditions: Sequence[Condition], *joints: str) -> dict[str, Any]:
    """Make the body of a filter. `joints`: the repeated operators in between, AND by default."""
    rows: list[dict[str, Any]] = [
        {
            "attribute_key": condition.key,
            "filter_operator": condition.operator,
            "values": list(condition.values),
            "query_operator": joint,
        }
        for condition, joint in zip(conditions, cycle(joints or ("AND",)), strict=False)
    ]
    rows[-1]["query_operator"] = None
    return {"payload": rows}


# -- records -------------------------------------------------------------------------------------


def parse_conversation(body: Any) -> Conversation:
    meta = require_object(require_object(body).get("meta"))
    return Conversation(
        id=require_number(body, "id"),
        inbox=require_number(body, "inbox_id"),
        channel=str(meta.get("channel") or ""),
        signed=meta.get("hmac_verified") is True,
        contact=parse_contact(meta.get("sender")),
        attributes=read_attributes(body),
        team=require_number(meta["team"], "id") if meta.get("team") else None,
        languages=read_languages(body),
        created_at=_read_moment(body, "created_at"),
        active_at=_read_moment(body, "last_activity_at"),
        waiting_since=_read_moment(body, "waiting_since"),
        status=_read_text(body, "status") or "",
    )


def parse_message(body: Any) -> Message:
    return Message(
        require_number(body, "id"),
        str(body.get("content") or ""),
        body.get("private") is True,
        str(body.get("source_id") or ""),
        _read_moment(body, "created_at"),
    )


def parse_listed(body: Any) -> ListedConversation:
    status = _read_text(require_object(body), "status") or ""
    return ListedConversation(require_number(body, "id"), status, read_attributes(body))


def parse_contact(body: Any) -> Contact:
    contact = require_object(body)
    return Contact(
        id=require_number(contact, "id"),
        name=_read_text(contact, "name") or "",
        email=_read_text(contact, "email"),
        phone=_read_text(contact, "phone_number"),
        identifier=_read_text(contact, "identifier"),
        attributes=read_attributes(contact),
        has_inbox=bool(contact.get("contact_inboxes")),
        public=_is_public(contact),
        company=_read_text(_read_part(contact, "additional_attributes"), COMPANY_FIELD) or "",
    )


def _is_public(contact: dict[str, Any]) -> bool:
    rows = contact.get("contact_inboxes")
    if not isinstance(rows, list):
        return True
    inboxes = [row.get("inbox") if isinstance(row, dict) else None for row in rows]
    names = [_read_text(row, "channel_type") if isinstance(row, dict) else None for row in inboxes]
    return None in names or not PUBLIC_CHANNELS.isdisjoint(names)


def read_sources(contact: Any) -> list[list[Any]]:
    """Return pairs of inbox and source of a contact; an odd source is empty, an odd inbox 0."""
    value = require_object(contact).get("contact_inboxes")
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    pairs = [(_read_part(row, "inbox").get("id"), row.get("source_id")) for row in rows]
    return [
        [inbox if type(inbox) is int else 0, name if isinstance(name, str) else ""]
        for inbox, name in pairs
    ]


def parse_pairs(body: Any) -> list[tuple[Any, str]]:
    return [(inbox, source) for inbox, source in require_list(body)]


def strip_agents(body: Any) -> list[dict[str, Any]]:
    """Keep only the fields that we need."""
    rows = [require_object(row) for row in require_list(body)]
    return [{key: row[key] for key in AGENT_KEYS if key in row} for row in rows]


def parse_agents(body: Any) -> dict[int, Agent]:
    agents = [
        Agent(
            require_number(row, "id"),
            clean(str(row.get("name") or "")),
            fold(row.get("email")),
            str(row.get("role") or ""),
        )
        for row in require_list(body)
    ]
    return {agent.id: agent for agent in agents}


def read_ids(body: Any) -> list[int]:
    """Return the ids in the rows of a list."""
    return [require_number(row, "id") for row in require_list(body)]


def read_locale(account: Any) -> str:
    """Return an empty text where the account names no language."""
    return _read_text(require_object(account), "locale") or ""


def parse_numbers(body: Any) -> list[int]:
    if not isinstance(body, list) or not all(isinstance(number, int) for number in body):
        raise Unreadable("wrong_shape", "no list of numbers")
    return body


# -- values --------------------------------------------------------------------------------------


def fold(value: Any) -> str:
    """Fold a value as e-mails are compared."""
    return normalize_email(str(value or "")) or ""


def read_attributes(body: Any) -> dict[str, Any]:
    return _read_part(require_object(body), "custom_attributes")


def _read_part(body: dict[str, Any], key: str) -> dict[str, Any]:
    part = body.get(key)
    return part if isinstance(part, dict) else {}


def require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("wrong_shape", "not an object")
    return value


def require_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable("wrong_shape", "not a list")
    return value


def require_number(body: Any, key: str) -> int:
    value = require_object(body).get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable("wrong_shape", f"no {key}")
    return value


def _read_text(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    return clean(value) or None if isinstance(value, str) else None


def _read_moment(body: dict[str, Any], key: str) -> float:
    value = body.get(key)
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return float(value) if is_number and value else 0.0
