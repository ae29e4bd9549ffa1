"""The calls that we make to Chatwoot (facts: contracts/chatwoot.md §3), answered as plain values.

What decides who may look (agents, members of an inbox, the conversation) is kept for `CHECKED`
seconds and never shown late: when Chatwoot cannot be asked, nobody is let in on an old list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from panel.cache import Ask, Cache, Lifetimes, Topic
from panel.errors import Unreachable, Unreadable
from panel.http import Client, Deadline

CHECKED = Lifetimes(fresh=60, empty=60, kept=60, refused=5)
T = TypeVar("T")


@dataclass(frozen=True)
class Agent:
    """`role`: `agent` or `administrator`."""

    id: int
    name: str
    email: str
    role: str


@dataclass(frozen=True)
class Contact:
    id: int
    name: str
    email: str | None
    phone: str | None
    identifier: str | None
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """`id` is the display id; `channel` e.g. `Channel::WebWidget`; `signed`: `hmac_verified`."""

    id: int
    inbox: int
    channel: str
    signed: bool
    contact: Contact
    attributes: dict[str, Any]


class Chatwoot:
    """One account, with the token of `CHATWOOT_API_TOKEN`. Every method raises `PanelError`."""

    def __init__(self, client: Client, cache: Cache, account: int) -> None:
        self._client = client
        self._cache = cache
        self._account = account

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        # The hyphen form: nginx drops names with underscores by default (§3.1).
        return {"Api-Access-Token": token}

    def conversation(self, number: int, ask: Ask = Ask.NEW) -> Conversation:
        """The conversation with its contact, asked anew unless `ask` allows a minute's age."""
        return self._checked("conversation", number, f"conversations/{number}", ask, _conversation)

    def agents(self) -> dict[int, Agent]:
        return self._checked("agents", self._account, "agents", Ask.FRESH, _agents)

    def members(self, inbox: int) -> frozenset[int]:
        """Ids of the agents who belong to the inbox."""
        return self._checked(
            "members",
            inbox,
            f"inbox_members/{inbox}",
            Ask.FRESH,
            lambda body: frozenset(_ids(body)),
        )

    def change_conversation(self, number: int, changes: dict[str, str | None]) -> None:
        """Set our keys, or remove those that are None: read, merge, write.

        Chatwoot up to 4.15 replaces the whole object (§3.5), so what is there goes back with it.
        """
        path = f"conversations/{number}"
        present = _attributes(self._get(path, Deadline()))
        merged = {key: value for key, value in {**present, **changes}.items() if value is not None}
        if merged != present:
            self._send("POST", f"{path}/custom_attributes", {"custom_attributes": merged})

    def _checked(self, name: str, number: int, path: str, ask: Ask, parse: Callable[[Any], T]) -> T:
        topic = Topic(f"chatwoot-{name}", number, CHECKED, parse)
        reading = self._cache.read(topic, ask, lambda by: self._get(path, by))
        if reading.late:
            raise Unreachable(reading.late, "Chatwoot could not be asked", reading.retry_at)
        return reading.value

    def _get(self, path: str, by: Deadline) -> Any:
        return self._client.get(f"api/v1/accounts/{self._account}/{path}", by=by).body

    def _send(self, method: str, path: str, body: Any) -> Any:
        return self._client.send(method, f"api/v1/accounts/{self._account}/{path}", body).body


def _conversation(body: Any) -> Conversation:
    meta = _object(_object(body).get("meta"))
    return Conversation(
        id=_number(body, "id"),
        inbox=_number(body, "inbox_id"),
        channel=str(meta.get("channel") or ""),
        signed=meta.get("hmac_verified") is True,
        contact=_contact(meta.get("sender")),
        attributes=_attributes(body),
    )


def _contact(body: Any) -> Contact:
    found = _object(body)
    return Contact(
        id=_number(found, "id"),
        name=str(found.get("name") or ""),
        email=found.get("email") or None,
        phone=found.get("phone_number") or None,
        identifier=found.get("identifier") or None,
        attributes=_attributes(found),
    )


def _agents(body: Any) -> dict[int, Agent]:
    if not isinstance(body, list):
        raise Unreadable("wrong_shape", "no list of agents")
    agents = [
        Agent(
            _number(row, "id"),
            str(row.get("name") or ""),
            str(row.get("email") or "").lower(),
            str(row.get("role") or ""),
        )
        for row in body
    ]
    return {agent.id: agent for agent in agents}


def _ids(body: Any) -> list[int]:
    rows = _object(body).get("payload")
    if not isinstance(rows, list):
        raise Unreadable("wrong_shape", "no list of members")
    return [_number(row, "id") for row in rows]


def _attributes(body: Any) -> dict[str, Any]:
    found = _object(body).get("custom_attributes")
    return found if isinstance(found, dict) else {}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("wrong_shape", "not an object")
    return value


def _number(body: Any, key: str) -> int:
    value = _object(body).get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable("wrong_shape", f"no {key}")
    return value
