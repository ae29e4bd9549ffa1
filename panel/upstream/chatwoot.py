"""The client of Chatwoot's API; it answers plain values.

What decides who may look (agents, members of an inbox or a team, the conversation) is kept for a
short while (`ACCESS_LIFETIMES`). An older list is used by `auth.access` alone, which asks for it.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from panel.bulkhead import Bulkhead
from panel.cache.entries import Lifetimes, Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import (
    CHATWOOT_SIDE,
    Busy,
    GiveUp,
    Missing,
    PanelError,
    Unauthorized,
    Unreachable,
    Unreadable,
    Unwell,
    naming_side,
)
from panel.logs.events import LogThrottle
from panel.metrics import start_upstream_series
from panel.models.text import clean, normalize_email
from panel.upstream.addresses import name_document
from panel.upstream.chatwoot_rejections import (
    NOT_FOUND,
    REMEDIES,
    UNKNOWN_ACCOUNT,
    name_rejection,
    read_words,
)
from panel.upstream.client import Client, Gate
from panel.upstream.failures import FailureLog, Trouble, Troubles
from panel.upstream.transport import DIRECT, Egress

log = logging.getLogger(__name__)
MOST_CONTACT_PAGES = 200  # of contacts in one list, 15 a page
LONGEST_NAME = 255  # characters that a contact may have (§3.3)
# And up to eight of a slow answer, and ten in `auth.tokens`: who was removed is refused within the
# minute. Kept longer: what stands in for a Chatwoot that does not answer (`auth.access`).
ACCESS_LIFETIMES = Lifetimes(fresh=40, empty=40, kept=40 + 120, refused=5)
ADMINISTRATOR = "administrator"
# The custom attributes that say which organization a contact or conversation belongs to.
ID_ATTRIBUTE = "middag_organization_id"
NAME_ATTRIBUTE = "middag_organization"
ROLE_ATTRIBUTE = "middag_role"
UNKNOWN_KEY = "invalid attribute key"  # how Chatwoot's filter begins to refuse one
EQUAL, CONTAINS, PRESENT = (
    "equal_to",
    "contains",
    "is_present",
)  # of Chatwoot's filter, which compares without case
PAGE_CONTACTS = 15  # contacts in a page, of lists and filters
# Their visitors can read the whole contact.
PUBLIC_CHANNELS = frozenset({"Channel::WebWidget", "Channel::Api"})
RESOLVED = "resolved"
LIVING_STATUSES = ("open", "pending", "snoozed")
LISTED_CONVERSATIONS = 20  # of a contact, those with the latest activity: Chatwoot lists no more
FILTERED_CONVERSATIONS = 25  # a page of the filter
MOST_CONVERSATION_PAGES = 40  # of one contact, so a thousand
T = TypeVar("T")


class Part(msgspec.Struct, omit_defaults=True):
    """What we read of a conversation. The rest is never built: its last message stands there
    twice, with every form of a mail's text, and may have megabytes."""


class SenderPart(Part):
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    name: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    email: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    phone_number: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    identifier: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    custom_attributes: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class TeamPart(Part):
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class MetaPart(Part):
    sender: SenderPart
    channel: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    hmac_verified: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    team: TeamPart | None = None


class ListedPart(Part):
    """A conversation in a list."""

    id: msgspec.Raw
    status: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    custom_attributes: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ConversationPart(ListedPart, kw_only=True):
    inbox_id: msgspec.Raw
    meta: MetaPart


class ConversationsPart(Part):
    payload: list[ListedPart]


def connect(
    url: str,
    token: str = "",
    gate: Gate = lambda: None,
    egress: Egress = DIRECT,
) -> Client:
    """The HTTP client of one Chatwoot; without `token`, whoever calls brings their own."""
    # The hyphen form: nginx drops names with underscores by default.
    headers = {"Api-Access-Token": token} if token else {}
    return Client(url, headers, gate, name_rejection, egress)


@dataclass(frozen=True)
class Agent:
    """`role`: `agent` or `administrator`."""

    id: int
    name: str
    email: str
    role: str


@dataclass(frozen=True)
class Contact:
    """`joined`: it is known to an inbox, so that somebody may be speaking through it.

    `public`: of a website's or an API's inbox, whose visitors can read all of it; also where
    Chatwoot does not say.
    """

    id: int
    name: str
    email: str | None
    phone: str | None
    identifier: str | None
    attributes: dict[str, Any]
    joined: bool = False
    public: bool = True


@dataclass(frozen=True)
class Condition:
    """Of Chatwoot's filters: a standard key, or a custom attribute that is defined.

    `value`: of several, one holds.
    """

    key: str
    value: str | tuple[str, ...]
    operator: str = EQUAL

    @property
    def values(self) -> tuple[str, ...]:
        return (self.value,) if isinstance(self.value, str) else self.value


@dataclass(frozen=True)
class Conversation:
    """`id` is the display id; `channel` e.g. `Channel::WebWidget`; `signed`: `hmac_verified`.

    `team`: the one it is assigned to; its members may see it without being in the inbox (4.8).
    """

    id: int
    inbox: int
    channel: str
    signed: bool
    contact: Contact
    attributes: dict[str, Any]
    team: int | None = None


# As calls are counted: paths without ids.
USUAL_DOCUMENTS = (
    *("conversations", "conversations/custom_attributes", "agents", "inbox_members"),
    *("teams/team_members", "contacts", "contacts/filter", "contacts/search"),
    *("contacts/conversations", "contacts/destroy_custom_attributes"),
)


@dataclass(frozen=True)
class ListedConversation:
    """One of a contact's conversations. `status`: open, pending, snoozed or resolved."""

    id: int
    status: str
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
        self,
        client: Client,
        cache: Cache,
        account: int,
        failures: FailureLog | None = None,
        bulkhead: Bulkhead | None = None,
    ) -> None:
        self._client = client
        self._cache = cache
        self._account = account
        self._failures = failures or FailureLog()
        self._events = LogThrottle()
        self._bulkhead = bulkhead or Bulkhead()
        self._troubles = Troubles()
        start_upstream_series(client.host, USUAL_DOCUMENTS, REMEDIES)

    @property
    def paused_until(self) -> float:
        """Epoch seconds, 0 while calls go through."""
        return self._client.breaker.paused_until

    @property
    def trouble(self) -> Trouble | None:
        """What Chatwoot did not answer, or refused, when this process asked for it last."""
        return self._troubles.latest

    def version(self) -> str:
        """Such as `4.16.2`; empty where Chatwoot does not say. It is told without a token."""
        with self._reporting("version"):
            body = self._client.get("api").body
        version = body.get("version") if isinstance(body, dict) else None
        return clean(version) if isinstance(version, str) else ""

    @naming_side(CHATWOOT_SIDE)
    def conversation(
        self, number: int, control: CacheControl = CacheControl.NO_CACHE
    ) -> Conversation:
        """The conversation with its contact, asked anew unless `control` allows some age."""
        path = f"conversations/{number}"

        def fetch(by: Deadline) -> Any:
            return self._fetch_parts(path, ConversationPart, by)

        return self._read_cached(_conversation_resource(number), path, fetch, control)

    def peek_conversation(self, number: int) -> Conversation | None:
        """As it was when somebody asked for it within `CHECKED`; nobody is asked now."""
        kept = self._cache.peek(_conversation_resource(number))
        return kept.value if kept and not kept.late else None

    def forget_copies(self, conversations: Collection[int], contacts: Collection[int]) -> None:
        """Remove what is kept of them for a moment."""
        for number in conversations:
            self._cache.forget(number, "chatwoot-conversation")
        for number in contacts:
            self._cache.forget(number, "chatwoot-sources")

    @naming_side(CHATWOOT_SIDE)
    def agents(self, control: CacheControl = CacheControl.FRESH) -> dict[int, Agent]:
        """The agents of the account, by id. Raises `Unauthorized` where there is no account."""
        resource = Resource("chatwoot-agents", self._account, ACCESS_LIFETIMES, _parse_agents)
        return self._read_cached(resource, "agents", self._fetch_agents, control)

    def _fetch_agents(self, by: Deadline | None = None) -> list[dict[str, Any]]:
        try:
            body = self._call("agents", by)
        except Missing:
            # No agents are missing: it is the account in the address.
            raise Unauthorized(UNKNOWN_ACCOUNT, NOT_FOUND) from None
        return _strip_agents(body)

    def check_token(self) -> None:
        """Ask now, past any copy, whether the token is good for the account; raises why not."""
        with self._reporting("agents"):
            self._fetch_agents()

    def members(self, inbox: int, control: CacheControl = CacheControl.FRESH) -> frozenset[int]:
        """Ids of the agents who belong to the inbox."""
        resource = Resource("chatwoot-members", inbox, ACCESS_LIFETIMES, _parse_numbers)
        path = f"inbox_members/{inbox}"

        def fetch(by: Deadline) -> list[int]:
            return _read_ids(self._fetch(path, by))

        ids = self._read_cached(resource, path, fetch, control)
        return frozenset(ids)

    def team_members(self, team: int, control: CacheControl = CacheControl.FRESH) -> frozenset[int]:
        """Ids of the agents who belong to the team; of none that is gone."""
        resource = Resource("chatwoot-team", team, ACCESS_LIFETIMES, _parse_numbers)
        path = f"teams/{team}/team_members"

        def fetch(by: Deadline) -> list[int]:
            return [_require_number(row, "id") for row in _require_list(self._fetch(path, by))]

        try:
            ids = self._read_cached(resource, path, fetch, control)
        except Missing:
            return frozenset()
        return frozenset(ids)

    def sources(self, contact: int, inbox: int) -> frozenset[str]:
        """How the channel of this inbox calls the contact: addresses, numbers (`source_id`).

        Asked anew: who was merged into the contact a moment ago must not find the former answer.
        """
        resource = Resource("chatwoot-sources", contact, ACCESS_LIFETIMES, _parse_pairs)
        path, anew = f"contacts/{contact}", CacheControl.NO_CACHE

        def fetch(by: Deadline) -> list[list[Any]]:
            return _read_sources(self._fetch(path, by))

        joined = self._read_cached(resource, path, fetch, anew)
        return frozenset(source for where, source in joined if where == inbox)

    @naming_side(CHATWOOT_SIDE)
    def change_conversation(
        self,
        number: int,
        changes: Mapping[str, str | None],
        present: Mapping[str, Any] | None = None,
    ) -> None:
        """Set our keys, or remove those that are None: read, merge, write.

        Chatwoot up to 4.15 replaces the whole object, so what is there goes back with it.
        `present`: the attributes as they are, where the caller has just read them. Raises
        `ValuesRefused` when the conversation cannot be saved as it is: it holds an older value
        that breaks today's limits.
        """
        path = f"conversations/{number}"
        if present is None:
            with self._reporting(path):
                present = _read_attributes(self._fetch_parts(path, ConversationPart))
        merged = {key: value for key, value in {**present, **changes}.items() if value is not None}
        if merged != present:
            self._write("POST", f"{path}/custom_attributes", {"custom_attributes": merged})

    @naming_side(CHATWOOT_SIDE)
    def contact(self, number: int) -> Contact:
        """Raises `Missing` for one that was deleted or merged into another."""
        return _parse_contact(_require_object(self._get(f"contacts/{number}")).get("payload"))

    @naming_side(CHATWOOT_SIDE)
    def find_contact(self, key: str, value: str) -> Contact | None:
        """The contact whose `identifier`, `email` or `phone_number` is exactly this value.

        By filter, never by search: search is a substring's guess, throttled apart (§3.3).
        """
        found = _read_rows(self._filter_contacts([Condition(key, value)]))
        # Chatwoot compares without case, look-alikes too: those are not ours.
        same = [row for row in found if _fold(row.get(key)) == _fold(value)]
        return (
            _parse_contact(min(same, key=lambda row: _require_number(row, "id"))) if same else None
        )

    @naming_side(CHATWOOT_SIDE)
    def find_contacts(
        self, conditions: Sequence[Condition], page: int = 1
    ) -> tuple[list[Contact], int]:
        """Contacts for which one of the conditions holds, and how many there are in all.

        One page of them: Chatwoot promises no order, so pages may overlap. It compares without
        case: look-alikes come too.
        """
        body = self._filter_contacts(conditions, "OR", page)
        meta = _require_object(_require_object(body).get("meta"))
        return [_parse_contact(row) for row in _read_rows(body)], _require_number(meta, "count")

    @naming_side(CHATWOOT_SIDE)
    def list_told(self, page: int) -> tuple[list[Contact], int]:
        """A page of the contacts that say any organization, and how many there are in all.

        Pages shift while contacts come and go: who is on none of them may be there all the same.
        Raises `Unreadable` where `setup` has not defined the attribute.
        """
        return self.find_contacts([Condition(ID_ATTRIBUTE, (), PRESENT)], page)

    @naming_side(CHATWOOT_SIDE)
    def list_claimants(self, attributes: dict[str, str]) -> list[Contact]:
        """Contacts whose custom attributes say all of this: a visitor can write them.

        None where Chatwoot does not know such attributes: it filters by those that `setup` defined.
        """
        conditions = [Condition(key, value) for key, value in attributes.items()]
        return sorted(self._list_defined(conditions, "AND"), key=lambda each: each.id)

    @naming_side(CHATWOOT_SIDE)
    def list_members(self, organization: int) -> list[Contact]:
        """Contacts whose custom attributes name the organization, alone or beside others; none
        where `setup` has not defined the attribute."""
        number = str(organization)
        parts = (f"{number},", f",{number}")
        conditions = [
            Condition(ID_ATTRIBUTE, number),
            *(Condition(ID_ATTRIBUTE, part, CONTAINS) for part in parts),
        ]
        found = self._list_defined(conditions, "OR")
        return [each for each in found if number in _split(each.attributes.get(ID_ATTRIBUTE))]

    def _list_defined(self, conditions: Sequence[Condition], joint: str) -> list[Contact]:
        try:
            return [_parse_contact(row) for row in self._list_pages(conditions, joint)]
        except Unreadable as error:
            if read_words(error.body).lower().startswith(UNKNOWN_KEY):
                return []
            raise

    def _list_pages(self, conditions: Sequence[Condition], joint: str) -> list[dict[str, Any]]:
        rows: dict[int, dict[str, Any]] = {}
        for page in range(1, MOST_CONTACT_PAGES + 1):
            found = _read_rows(self._filter_contacts(conditions, joint, page))
            rows |= {_require_number(row, "id"): row for row in found}
            if len(found) < PAGE_CONTACTS:
                break
        return list(rows.values())

    def count_identifiers(self, part: str) -> int:
        """How many contacts have this in their `identifier`, as it is written here."""
        return len(self.list_identifiers(part))

    def list_identifiers(self, part: str) -> dict[int, str]:
        """The contacts that have this in their `identifier`, by number; of the first pages.

        By search, because the filter of identifiers knows no part of one (`filter_keys.yml` of
        4.0.0 to 4.16.2). The search looks into names, e-mails and phones as well.
        """
        found: dict[int, str] = {}
        for page in range(1, MOST_CONTACT_PAGES + 1):
            query = urlencode({"q": part, "page": page, "include_contact_inboxes": "false"})
            body = self._get(f"contacts/search?{query}")
            rows = [_parse_contact(row) for row in _read_rows(body)]
            if not rows:
                break
            texts = {each.id: each.identifier or "" for each in rows}
            found |= {number: text for number, text in texts.items() if part in text}
        return found

    def _filter_contacts(
        self, conditions: Sequence[Condition], joint: str = "AND", page: int = 1
    ) -> Any:
        return self._send("POST", f"contacts/filter?page={page}", _make_question(conditions, joint))

    @naming_side(CHATWOOT_SIDE)
    def create_contact(self, fields: dict[str, Any]) -> Contact:
        """Raises `ValuesRefused` when another contact owns one of the values."""
        payload = _require_object(self._write("POST", "contacts", fields, again=False)).get(
            "payload"
        )
        return _parse_contact(_require_object(payload).get("contact"))

    @naming_side(CHATWOOT_SIDE)
    def update_contact(self, number: int, fields: dict[str, Any]) -> None:
        """`custom_attributes` are merged by Chatwoot, key by key, without a lock (§3.3)."""
        self._write("PUT", f"contacts/{number}", fields)

    @naming_side(CHATWOOT_SIDE)
    def clear_contact(self, number: int, keys: list[str]) -> None:
        path = f"contacts/{number}/destroy_custom_attributes"
        self._write("POST", path, {"custom_attributes": keys})

    @naming_side(CHATWOOT_SIDE)
    def list_conversations(
        self, contact: int, statuses: tuple[str, ...] = ()
    ) -> list[ListedConversation]:
        """The contact's conversations: the last 20 of any status, then older ones of `statuses`.

        Without `statuses`, older ones of any status. The older ones are found by Chatwoot's filter,
        25 in a call, which knows `contact_id` since 4.14.2; an older Chatwoot tells the last 20.
        """
        path = f"contacts/{contact}/conversations"
        with self._reporting(path):
            rows = self._fetch_parts(path, ConversationsPart)["payload"]
        found = {row.id: row for row in map(_parse_listed, rows)}
        if len(rows) >= LISTED_CONVERSATIONS:
            for row in self._filter_conversations(contact, statuses):
                found.setdefault(row.id, row)
        return list(found.values())

    def _filter_conversations(
        self, contact: int, statuses: tuple[str, ...]
    ) -> Iterator[ListedConversation]:
        wanted = [Condition("contact_id", str(contact))]
        wanted += [Condition("status", statuses)] if statuses else []
        question = _make_question(wanted)
        for page in range(1, MOST_CONVERSATION_PAGES + 1):
            path = f"conversations/filter?page={page}"
            try:
                with self._reporting(path):
                    part = self._fetch_parts(path, ConversationsPart, question=question)
            except Unreadable as error:
                if read_words(error.body).lower().startswith(UNKNOWN_KEY):
                    log.info("contact %d: this Chatwoot lists no more than its last 20", contact)
                    return
                raise
            yield from map(_parse_listed, part["payload"])
            if len(part["payload"]) < FILTERED_CONVERSATIONS:
                return

    def administer(self, method: str, path: str, body: Any = None) -> Any:
        """The account's own settings (definitions, apps, webhooks): mostly for administrators."""
        if method == "GET":
            return self._get(path)
        answer = self._send(method, path, body, again=False)
        self._record_write(method, path)
        return answer

    def _write(self, method: str, path: str, body: Any, again: bool = True) -> Any:
        try:
            answer = self._send(method, path, body, again)
            self._record_write(method, path)
            return answer
        except Unreadable as error:
            if error.code != "http_422":
                raise
            words = error.body if isinstance(error.body, dict) else {}
            if isinstance(refused := words.get("attributes"), list):
                raise ValuesRefused(tuple(map(str, refused))) from error
            # Since 4.16 a database that is too slow is told like this: no value was refused.
            raise Unwell("http_422", read_words(words)) from error

    def _read_cached(
        self,
        resource: Resource[T],
        path: str,
        fetch: Callable[[Deadline], Any],
        control: CacheControl = CacheControl.FRESH,
    ) -> T:
        """`fetch` keeps what we need of the answer: messages and private notes are never cached.

        `ONLY_IF_CACHED`: what is kept, however old; `Busy` where nothing is.
        """
        if control is CacheControl.ONLY_IF_CACHED:
            kept = self._cache.peek(resource)
            if kept is None:
                raise Busy(detail="nothing is kept")
            return kept.value

        def fetch_and_note(by: Deadline) -> Any:
            answer = fetch(by)
            self._troubles.note_success(name_document(path))
            return answer

        reading = self._cache.read(resource, control, fetch_and_note, partial(self._report, path))
        if reading.late:
            raise Unreachable(reading.late, "Chatwoot could not be asked", reading.retry_at)
        return reading.value

    def _get(self, path: str) -> Any:
        with self._reporting(path):
            return self._fetch(path)

    def _fetch(self, path: str, by: Deadline | None = None) -> Any:
        with self._confirming_missing():
            return self._call(path, by)

    def _call(self, path: str, by: Deadline | None = None) -> Any:
        with self._bulkhead.enter():
            return self._client.get(self._address(path), by=by).body

    def _fetch_parts(
        self,
        path: str,
        shape: type[msgspec.Struct],
        by: Deadline | None = None,
        question: Any = None,
    ) -> dict[str, Any]:
        with self._confirming_missing(), self._bulkhead.enter():
            return self._client.get_parts(self._address(path), shape, by, question)

    def _send(self, method: str, path: str, body: Any, again: bool = True) -> Any:
        """`again`: what may as well be done twice is tried once more; only making is not of it."""
        call = self._client.repeat if again else self._client.send
        with self._reporting(path), self._confirming_missing(), self._bulkhead.enter():
            return call(method, self._address(path), body).body

    def _address(self, path: str) -> str:
        return f"api/v1/accounts/{self._account}/{path}"

    @contextmanager
    def _confirming_missing(self) -> Iterator[None]:
        """An account that does not exist is told in the words of a record that is gone: nothing is
        taken for gone before the account is known to be there."""
        try:
            yield
        except Missing:
            self.agents()
            raise

    @contextmanager
    def _reporting(self, path: str) -> Iterator[None]:
        try:
            yield
        except PanelError as error:
            self._report(path, error)
            raise
        self._troubles.note_success(name_document(path))

    def _record_write(self, method: str, path: str) -> None:
        kind = (method, "".join(each for each in path if not each.isdigit()))
        ids = {"method": method, "path": path}
        self._events.record(log.info, "Chatwoot was written to", *kind, **ids)

    def _report(self, path: str, error: PanelError) -> None:
        """A contact that is gone and a value that is taken are answers, no failures."""
        document = name_document(path)
        if isinstance(error, Missing) or error.code == "http_422":
            self._troubles.note_success(document)
            return
        record = next((int(part) for part in path.split("/") if part.isdigit()), 0)
        remedy = REMEDIES.get(error.code, "")
        self._failures.report(self._client.host, document, record, error, remedy)
        self._troubles.note_failure(document, error)


def _make_question(conditions: Sequence[Condition], joint: str = "AND") -> dict[str, Any]:
    """A question of Chatwoot's filters."""
    rows: list[dict[str, Any]] = [
        {
            "attribute_key": each.key,
            "filter_operator": each.operator,
            "values": list(each.values),
            "query_operator": joint,
        }
        for each in conditions
    ]
    rows[-1]["query_operator"] = None
    return {"payload": rows}


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
        team=_require_number(meta["team"], "id") if meta.get("team") else None,
    )


def _strip_agents(body: Any) -> list[dict[str, Any]]:
    keys = ("id", "name", "email", "role")
    return [_pick_keys(_require_object(row), keys) for row in _require_list(body)]


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
        public=_is_public(found),
    )


def _is_public(contact: dict[str, Any]) -> bool:
    rows = contact.get("contact_inboxes")
    inboxes = [row.get("inbox") if isinstance(row, dict) else None for row in rows or []]
    channels = {row.get("channel_type") if isinstance(row, dict) else None for row in inboxes}
    return rows is None or None in channels or bool(channels & PUBLIC_CHANNELS)


def _split(value: Any) -> list[str]:
    return value.split(",") if isinstance(value, str) else []


def _parse_listed(body: Any) -> ListedConversation:
    status = _read_text(_require_object(body), "status") or ""
    return ListedConversation(_require_number(body, "id"), status, _read_attributes(body))


def _parse_agents(body: Any) -> dict[int, Agent]:
    agents = [
        Agent(
            _require_number(row, "id"),
            clean(str(row.get("name") or "")),
            _fold(row.get("email")),
            str(row.get("role") or ""),
        )
        for row in _require_list(body)
    ]
    return {agent.id: agent for agent in agents}


def _fold(value: Any) -> str:
    return normalize_email(str(value or "")) or ""


def _read_ids(body: Any) -> list[int]:
    rows = _require_list(_require_object(body).get("payload"))
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
    return [(inbox, source) for inbox, source in _require_list(body)]


def _read_attributes(body: Any) -> dict[str, Any]:
    found = _require_object(body).get("custom_attributes")
    return found if isinstance(found, dict) else {}


def _require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("wrong_shape", "not an object")
    return value


def _require_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable("wrong_shape", "not a list")
    return value


def _read_text(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    return clean(value) or None if isinstance(value, str) else None


def _require_number(body: Any, key: str) -> int:
    value = _require_object(body).get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable("wrong_shape", f"no {key}")
    return value
