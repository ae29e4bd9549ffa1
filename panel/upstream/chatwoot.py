"""The client of Chatwoot's API (facts: contracts/chatwoot.md §3); it answers plain values.

What decides who may look (agents, members of an inbox, the conversation) is kept for `CHECKED`
seconds and never shown late: when Chatwoot cannot be asked, nobody is let in on an old list.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from panel.cache.entries import Lifetimes, Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import GiveUp, Missing, PanelError, Unreachable, Unreadable
from panel.models import clean, normalize_email
from panel.upstream.client import Client
from panel.upstream.failures import FailureLog

MOST_CONTACT_PAGES = 200  # of contacts in one list, 15 a page
LONGEST_NAME = 255  # characters that a contact may have (§3.3)
# And up to eight of a slow answer, and ten in `auth.tokens`: within the minute of design §4.2.
ACCESS_LIFETIMES = Lifetimes(fresh=40, empty=40, kept=40, refused=5)
ADMINISTRATOR = "administrator"
# The custom attributes that say which organization a contact or conversation belongs to.
ID_ATTRIBUTE = "middag_organization_id"
NAME_ATTRIBUTE = "middag_organization"
ROLE_ATTRIBUTE = "middag_role"
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
    """`joined`: it is known to an inbox, so that somebody may be speaking through it."""

    id: int
    name: str
    email: str | None
    phone: str | None
    identifier: str | None
    attributes: dict[str, Any]
    joined: bool = False


@dataclass(frozen=True)
class Conversation:
    """`id` is the display id; `channel` e.g. `Channel::WebWidget`; `signed`: `hmac_verified`."""

    id: int
    inbox: int
    channel: str
    signed: bool
    contact: Contact
    attributes: dict[str, Any]


class ValuesRefused(GiveUp):
    """Chatwoot refuses the values of `attributes`: mostly, another contact owns them (§3.3)."""

    code = "refused_by_chatwoot"

    def __init__(self, attributes: tuple[str, ...]) -> None:
        super().__init__(detail=", ".join(attributes) or "without saying which value")
        self.attributes = attributes


class Chatwoot:
    """One account, with the token of `CHATWOOT_API_TOKEN`. Every method raises `PanelError`."""

    def __init__(
        self, client: Client, cache: Cache, account: int, failures: FailureLog | None = None
    ) -> None:
        self._client = client
        self._cache = cache
        self._account = account
        self._failures = failures or FailureLog()

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        # The hyphen form: nginx drops names with underscores by default (§3.1).
        return {"Api-Access-Token": token}

    @property
    def paused_until(self) -> float:
        """Epoch seconds, 0 while calls go through."""
        return self._client.breaker.paused_until

    def conversation(
        self, number: int, control: CacheControl = CacheControl.NO_CACHE
    ) -> Conversation:
        """The conversation with its contact, asked anew unless `control` allows some age."""
        return self._read_cached(
            _conversation_resource(number), f"conversations/{number}", _strip_conversation, control
        )

    def peek_conversation(self, number: int) -> Conversation | None:
        """As it was when somebody asked for it within `CHECKED`; nobody is asked now."""
        kept = self._cache.peek(_conversation_resource(number))
        return kept.value if kept and not kept.late else None

    def agents(self) -> dict[int, Agent]:
        resource = Resource("chatwoot-agents", self._account, ACCESS_LIFETIMES, _parse_agents)
        return self._read_cached(resource, "agents", _strip_agents)

    def members(self, inbox: int) -> frozenset[int]:
        """Ids of the agents who belong to the inbox."""
        resource = Resource("chatwoot-members", inbox, ACCESS_LIFETIMES, _parse_numbers)
        ids = self._read_cached(resource, f"inbox_members/{inbox}", _read_ids)
        return frozenset(ids)

    def sources(self, contact: int, inbox: int) -> frozenset[str]:
        """How the channel of this inbox calls the contact: addresses, numbers (`source_id`).

        Asked anew: who was merged into the contact a moment ago must not find the former answer.
        """
        resource = Resource("chatwoot-sources", contact, ACCESS_LIFETIMES, _parse_pairs)
        path, anew = f"contacts/{contact}", CacheControl.NO_CACHE
        joined = self._read_cached(resource, path, _read_sources, anew)
        return frozenset(source for where, source in joined if where == inbox)

    def change_conversation(self, number: int, changes: dict[str, str | None]) -> None:
        """Set our keys, or remove those that are None: read, merge, write.

        Chatwoot up to 4.15 replaces the whole object (§3.5), so what is there goes back with it.
        """
        path = f"conversations/{number}"
        present = _read_attributes(self._get(path))
        merged = {key: value for key, value in {**present, **changes}.items() if value is not None}
        if merged != present:
            self._send("POST", f"{path}/custom_attributes", {"custom_attributes": merged})

    def contact(self, number: int) -> Contact:
        """Raises `Missing` for one that was deleted or merged into another."""
        return _parse_contact(_require_object(self._get(f"contacts/{number}")).get("payload"))

    def find_contact(self, key: str, value: str) -> Contact | None:
        """The contact whose `identifier`, `email` or `phone_number` is exactly this value.

        By filter, never by search: search is a substring's guess, throttled apart (§3.3).
        """
        found = _read_rows(self._filter_contacts({key: value}))
        # Chatwoot compares without case, look-alikes too: those are not ours.
        same = [row for row in found if _fold(row.get(key)) == _fold(value)]
        return (
            _parse_contact(min(same, key=lambda row: _require_number(row, "id"))) if same else None
        )

    def list_claimants(self, attributes: dict[str, str]) -> list[int]:
        """Numbers of contacts whose custom attributes say all of this: a visitor can write them.

        None where Chatwoot does not know such attributes: it filters by those that `setup` defined.
        """
        try:
            rows = _read_rows(self._filter_contacts(attributes))
        except Unreadable as error:
            if error.code == "http_422":
                return []
            raise
        return sorted(_require_number(row, "id") for row in rows)

    def count_identifiers(self, part: str) -> int:
        """How many contacts have this in their `identifier`, in whatever case."""
        meta = _require_object(self._filter_contacts({"identifier": part}, "contains")).get("meta")
        return _require_number(meta, "count")

    def list_identifiers(self, part: str) -> dict[int, str]:
        """The contacts that have this in their `identifier`, by number; of the first pages."""
        found: dict[int, str] = {}
        for page in range(1, MOST_CONTACT_PAGES + 1):
            body = self._filter_contacts({"identifier": part}, "contains", page)
            rows = [_parse_contact(row) for row in _read_rows(body)]
            if not rows:
                break
            found |= {each.id: each.identifier or "" for each in rows}
        return found

    def _filter_contacts(
        self, values: dict[str, str], operator: str = "equal_to", page: int = 1
    ) -> Any:
        conditions: list[dict[str, Any]] = [
            {
                "attribute_key": key,
                "filter_operator": operator,
                "values": [value],
                "query_operator": "AND",
            }
            for key, value in values.items()
        ]
        conditions[-1]["query_operator"] = None
        return self._send("POST", f"contacts/filter?page={page}", {"payload": conditions})

    def create_contact(self, fields: dict[str, Any]) -> Contact:
        """Raises `ValuesRefused` when another contact owns one of the values."""
        payload = _require_object(self._write("POST", "contacts", fields, again=False)).get(
            "payload"
        )
        return _parse_contact(_require_object(payload).get("contact"))

    def update_contact(self, number: int, fields: dict[str, Any]) -> None:
        """`custom_attributes` are merged by Chatwoot, key by key, without a lock (§3.3)."""
        self._write("PUT", f"contacts/{number}", fields)

    def clear_contact(self, number: int, keys: list[str]) -> None:
        path = f"contacts/{number}/destroy_custom_attributes"
        self._write("POST", path, {"custom_attributes": keys})

    def open_conversations(self, contact: int) -> dict[int, dict[str, Any]]:
        """Attributes of the contact's open conversations among its last 20, by display id."""
        rows = _require_object(self._get(f"contacts/{contact}/conversations")).get("payload")
        if not isinstance(rows, list):
            raise Unreadable("wrong_shape", "no list of conversations")
        open_ones = [row for row in rows if _require_object(row).get("status") == "open"]
        return {_require_number(row, "id"): _read_attributes(row) for row in open_ones}

    def administer(self, method: str, path: str, body: Any = None) -> Any:
        """The account's own settings (definitions, apps, webhooks): mostly for administrators."""
        return self._get(path) if method == "GET" else self._send(method, path, body, again=False)

    def _write(self, method: str, path: str, body: Any, again: bool = True) -> Any:
        try:
            return self._send(method, path, body, again)
        except Unreadable as error:
            words = error.body if isinstance(error.body, dict) else {}
            if error.code == "http_422":
                raise ValuesRefused(tuple(words.get("attributes") or ())) from error
            raise

    def _read_cached(
        self,
        resource: Resource[T],
        path: str,
        keep: Callable[[Any], Any],
        control: CacheControl = CacheControl.FRESH,
    ) -> T:
        """`keep` takes what we need of the answer: messages and private notes are never cached."""
        reading = self._cache.read(
            resource, control, lambda by: keep(self._fetch(path, by)), partial(self._report, path)
        )
        if reading.late:
            raise Unreachable(reading.late, "Chatwoot could not be asked", reading.retry_at)
        return reading.value

    def _get(self, path: str) -> Any:
        with self._reporting(path):
            return self._fetch(path)

    def _fetch(self, path: str, by: Deadline | None = None) -> Any:
        return self._client.get(f"api/v1/accounts/{self._account}/{path}", by=by).body

    def _send(self, method: str, path: str, body: Any, again: bool = True) -> Any:
        """`again`: what may as well be done twice is tried once more; only making is not of it."""
        call = self._client.repeat if again else self._client.send
        with self._reporting(path):
            return call(method, f"api/v1/accounts/{self._account}/{path}", body).body

    @contextmanager
    def _reporting(self, path: str) -> Iterator[None]:
        try:
            yield
        except PanelError as error:
            self._report(path, error)
            raise

    def _report(self, path: str, error: PanelError) -> None:
        """A contact that is gone and a value that is taken are answers, no failures."""
        if isinstance(error, Missing) or error.code == "http_422":
            return
        parts = path.partition("?")[0].split("/")
        document = "/".join(part for part in parts if not part.isdigit())
        record = next((int(part) for part in parts if part.isdigit()), 0)
        self._failures.report(self._client.host, document, record, error)


def _conversation_resource(conversation: int) -> Resource[Conversation]:
    return Resource("chatwoot-conversation", conversation, ACCESS_LIFETIMES, _parse_conversation)


def _parse_conversation(body: Any) -> Conversation:
    meta = _require_object(_require_object(body).get("meta"))
    return Conversation(
        id=_require_number(body, "id"),
        inbox=_require_number(body, "inbox_id"),
        channel=str(meta.get("channel") or ""),
        signed=meta.get("hmac_verified") is True,
        contact=_parse_contact(meta.get("sender")),
        attributes=_read_attributes(body),
    )


def _strip_conversation(body: Any) -> dict[str, Any]:
    meta = _require_object(_require_object(body).get("meta"))
    sender = _require_object(meta.get("sender"))
    person = ("id", "name", "email", "phone_number", "identifier", "custom_attributes")
    return {
        **_pick_keys(body, ("id", "inbox_id", "custom_attributes")),
        "meta": {
            **_pick_keys(meta, ("channel", "hmac_verified")),
            "sender": _pick_keys(sender, person),
        },
    }


def _strip_agents(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, list):
        raise Unreadable("wrong_shape", "no list of agents")
    return [_pick_keys(_require_object(row), ("id", "name", "email", "role")) for row in body]


def _pick_keys(row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: row[key] for key in keys if key in row}


def _parse_contact(body: Any) -> Contact:
    found = _require_object(body)
    return Contact(
        id=_require_number(found, "id"),
        name=_read_text(found, "name") or "",
        email=_read_text(found, "email"),
        phone=_read_text(found, "phone_number"),
        identifier=_read_text(found, "identifier"),
        attributes=_read_attributes(found),
        joined=bool(found.get("contact_inboxes")),
    )


def _parse_agents(body: Any) -> dict[int, Agent]:
    if not isinstance(body, list):
        raise Unreadable("wrong_shape", "no list of agents")
    agents = [
        Agent(
            _require_number(row, "id"),
            clean(str(row.get("name") or "")),
            _fold(row.get("email")),
            str(row.get("role") or ""),
        )
        for row in body
    ]
    return {agent.id: agent for agent in agents}


def _fold(value: Any) -> str:
    return normalize_email(str(value or "")) or ""


def _read_ids(body: Any) -> list[int]:
    rows = _require_object(body).get("payload")
    if not isinstance(rows, list):
        raise Unreadable("wrong_shape", "no list of members")
    return [_require_number(row, "id") for row in rows]


def _parse_numbers(body: Any) -> list[int]:
    if not isinstance(body, list) or not all(isinstance(each, int) for each in body):
        raise Unreadable("wrong_shape", "no list of numbers")
    return body


def _read_rows(body: Any) -> list[dict[str, Any]]:
    rows = _require_object(body).get("payload")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _read_sources(body: Any) -> list[list[Any]]:
    """Pairs of inbox and source of a contact; a source that is missing or no text is empty."""
    joined = _require_object(_require_object(body).get("payload")).get("contact_inboxes")
    rows = [row for row in joined if isinstance(row, dict)] if isinstance(joined, list) else []
    inboxes = [row["inbox"] if isinstance(row.get("inbox"), dict) else {} for row in rows]
    pairs = zip(inboxes, rows, strict=True)
    sources = [(inbox.get("id"), row.get("source_id")) for inbox, row in pairs]
    return [[where, name if isinstance(name, str) else ""] for where, name in sources]


def _parse_pairs(body: Any) -> list[tuple[Any, str]]:
    if not isinstance(body, list):
        raise Unreadable("wrong_shape", "no list of sources")
    return [(inbox, source) for inbox, source in body]


def _read_attributes(body: Any) -> dict[str, Any]:
    found = _require_object(body).get("custom_attributes")
    return found if isinstance(found, dict) else {}


def _require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("wrong_shape", "not an object")
    return value


def _read_text(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    return clean(value) or None if isinstance(value, str) else None


def _require_number(body: Any, key: str) -> int:
    value = _require_object(body).get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable("wrong_shape", f"no {key}")
    return value
