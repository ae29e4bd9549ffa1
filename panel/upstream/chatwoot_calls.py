"""Calls to one account of Chatwoot: the token, the timeouts, and the report of failures.

The single calls stand in the modules that build upon this one.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec

from panel.bulkhead import Bulkhead
from panel.cache.entries import Lifetimes, Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import (
    CHATWOOT_SIDE,
    Busy,
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
from panel.upstream.addresses import name_document
from panel.upstream.chatwoot_parts import Part
from panel.upstream.chatwoot_records import Agent, ValuesRefused, parse_agents, strip_agents
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
# A slow answer adds up to eight seconds, and `auth.tokens` ten: a removed agent is refused within
# the minute. Longer-kept lists stand in while Chatwoot does not answer (`auth.access`).
ACCESS_LIFETIMES = Lifetimes(fresh=40, empty=40, kept=40 + 120, refused=5)
ACCOUNTS = "api/v1/accounts"  # the name under which calls about the account itself are counted
# The beginning of the sentence with which Chatwoot's filter refuses an unknown attribute.
UNKNOWN_KEY = "invalid attribute key"
# The names by which calls are counted: paths without ids.
USUAL_DOCUMENTS = (
    ACCOUNTS,
    "conversations",
    "conversations/custom_attributes",
    "agents",
    "inbox_members",
    "teams/team_members",
    "contacts",
    "contacts/filter",
    "contacts/search",
    "contacts/conversations",
    "contacts/destroy_custom_attributes",
    "conversations/messages",
)
T = TypeVar("T")


def connect(
    url: str,
    token: str = "",
    gate: Gate = lambda: None,
    egress: Egress = DIRECT,
) -> Client:
    """Return the client of one Chatwoot; without `token`, each caller brings one."""
    # The hyphen form: nginx drops names with underscores by default.
    headers = {"Api-Access-Token": token} if token else {}
    return Client(url, headers, gate, name_rejection, egress)


class AccountCalls:
    """Calls to one account, with the token of `CHATWOOT_API_TOKEN`. Every method raises
    `PanelError`."""

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
        """Return the end of the pause in epoch seconds, 0 while calls go through."""
        return self._client.breaker.paused_until

    @property
    def trouble(self) -> Trouble | None:
        """Return the latest failure among the documents whose last call failed."""
        return self._troubles.latest

    # -- the account -----------------------------------------------------------------------------

    @naming_side(CHATWOOT_SIDE)
    def agents(self, control: CacheControl = CacheControl.FRESH) -> dict[int, Agent]:
        """Return the account's agents, by id; raises `Unauthorized` without an account."""
        resource = Resource("chatwoot-agents", self._account, ACCESS_LIFETIMES, parse_agents)
        return self._read_cached(resource, "agents", self._fetch_agents, control)

    def check_token(self) -> None:
        """Check with a call, not a copy, that the token is good for the account; raises the reason
        why it is not."""
        with self._reporting("agents"):
            self._fetch_agents()

    def _fetch_agents(self, by: Deadline | None = None) -> list[dict[str, Any]]:
        try:
            body = self._call("agents", by)
        except Missing:
            # A list of agents is never missing: the account in the address is wrong.
            raise Unauthorized(UNKNOWN_ACCOUNT, NOT_FOUND) from None
        return strip_agents(body)

    # -- reading ---------------------------------------------------------------------------------

    def _read_cached(
        self,
        resource: Resource[T],
        path: str,
        fetch: Callable[[Deadline], Any],
        control: CacheControl = CacheControl.FRESH,
    ) -> T:
        """`fetch` returns only the parts that we need: messages and private notes are never cached.

        `ONLY_IF_CACHED` returns the kept copy, however old, and raises `Busy` where there is none.
        """
        if control is CacheControl.ONLY_IF_CACHED:
            copy = self._cache.peek(resource)
            if copy is None:
                raise Busy(detail="nothing is kept")
            return copy.value

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

    def _get_parts(
        self, path: str, shape: type[msgspec.Struct], question: Any = None
    ) -> dict[str, Any]:
        with self._reporting(path):
            return self._fetch_parts(path, shape, question=question)

    def _fetch(self, path: str, by: Deadline | None = None) -> Any:
        with self._confirming_missing():
            return self._call(path, by)

    def _fetch_parts(
        self,
        path: str,
        shape: type[msgspec.Struct],
        by: Deadline | None = None,
        question: Any = None,
    ) -> dict[str, Any]:
        """See `Client.get_parts`."""
        with self._confirming_missing(), self._bulkhead.enter():
            return self._client.get_parts(self._address(path), shape, by, question)

    def _call(self, path: str, by: Deadline | None = None) -> Any:
        with self._bulkhead.enter():
            return self._client.get(self._address(path), by=by).body

    # -- writing ---------------------------------------------------------------------------------

    def _write(self, method: str, path: str, body: Any, again: bool = True) -> Any:
        """Raises `ValuesRefused` where Chatwoot names the attributes that it refuses."""
        try:
            answer = self._send(method, path, body, again)
            self._record_write(method, path)
            return answer
        except Unreadable as error:
            if error.code != "http_422":
                raise
            words = error.body if isinstance(error.body, dict) else {}
            if isinstance(names := words.get("attributes"), list):
                raise ValuesRefused(tuple(map(str, names))) from error
            # Since 4.16 a database that is too slow is answered like this: no value was refused.
            raise Unwell("http_422", read_words(words)) from error

    def _send(self, method: str, path: str, body: Any, again: bool = True) -> Any:
        """`again`: whether the call may be repeated once. Only the creation of a record may not.

        The answer to a creation holds the new record. The answer to any other write may be large,
        and is not read.
        """
        address = self._address(path)
        with self._reporting(path), self._confirming_missing(), self._bulkhead.enter():
            if again:
                return self._client.repeat(method, address, body, Part).body
            return self._client.send(method, address, body).body

    # -- failures --------------------------------------------------------------------

    def _address(self, path: str) -> str:
        return f"{ACCOUNTS}/{self._account}/{path}".rstrip("/")

    @contextmanager
    def _confirming_missing(self) -> Iterator[None]:
        """Chatwoot answers for an unknown account as for a missing record. So the account is
        checked before the record counts as gone."""
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
        kind = (method, "".join(character for character in path if not character.isdigit()))
        ids = {"method": method, "path": path}
        self._events.record(log.info, "Chatwoot was written to", *kind, **ids)

    def _report(self, path: str, error: PanelError) -> None:
        """Report a failure. A missing contact and a taken value are answers, and no failures."""
        document = name_document(path)
        if isinstance(error, Missing) or error.code == "http_422":
            self._troubles.note_success(document)
            return
        record = next((int(part) for part in path.split("/") if part.isdigit()), 0)
        remedy = REMEDIES.get(error.code, "")
        self._failures.report(self._client.host, document, record, error, remedy)
        self._troubles.note_failure(document, error)


def refuses_key(error: Unreadable) -> bool:
    """Tell whether a filter refused an attribute because it is not defined."""
    return read_words(error.body).lower().startswith(UNKNOWN_KEY)
