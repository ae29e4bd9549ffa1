"""Authentication methods: how a request proves that its viewer is an agent; `METHODS` lists them.

Whatever the proof, it ends in the same seals; nothing behind this module asks which one it was. A
proof that names the agent outweighs what the page says about them. A missing proof is no wrong one;
wrong ones are counted by address (`throttle`) and logged, never with what was brought.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote

import msgspec

from panel.auth.sessions import Sessions
from panel.auth.throttle import Throttle
from panel.auth.tokens import (
    ACCEPTED_PROOFS,
    ACCESS_TOKEN,
    CHATWOOT_SESSION,
    SHARED_SECRET,
    Denied,
    Unproven,
    derive_launch_key,
    parse_bearer,
)
from panel.auth.whoami import NOT_IN_ACCOUNT, Profiles
from panel.cache.entries import Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import Unauthorized, Unreachable
from panel.settings import Settings
from panel.upstream.chatwoot import ACCESS_LIFETIMES, Chatwoot

DASHBOARD_COOKIE = "cw_d_session_info"  # contracts/chatwoot.md §4, option E
LONGEST_COOKIE = 4096


@dataclass(frozen=True)
class Proof:
    """`name` stands in the seal; `agent` None: the page's word has to do (`shared-secret`)."""

    name: str
    agent: int | None = None

    def confirm(self, hinted: int) -> None:
        """Raises `Denied` when the page names another agent than the proven one."""
        if self.agent is not None and self.agent != hinted:
            raise Denied("another_agent")


@dataclass(frozen=True)
class Credentials:
    """What a request brings. `session`: our cookie's value; `address`: of the client."""

    authorization: str | None
    session: str
    dashboard: str
    address: str


class Dashboard(msgspec.Struct, frozen=True):
    """What Chatwoot's dashboard keeps of its session; the cookie holds more."""

    token: str = msgspec.field(name="access-token")
    client: str
    uid: str


@dataclass(frozen=True)
class Authenticator:
    settings: Settings
    chatwoot: Chatwoot
    cache: Cache
    sessions: Sessions
    profiles: Profiles
    attempts: Throttle

    @property
    def takes_tokens(self) -> bool:
        """Can an agent sign in?"""
        return ACCESS_TOKEN in ACCEPTED_PROOFS[self.settings.agent_proof]

    def prove(self, shown: Credentials) -> Proof:
        """Raises `Unproven` or `Denied`; `PanelError` when Chatwoot could not be asked."""
        refusal: Denied = Unproven("no_proof")
        for name in ACCEPTED_PROOFS[self.settings.agent_proof]:
            try:
                return Proof(name, METHODS[name](self, shown))
            except Denied as error:
                refusal = error if error.code != "no_proof" else refusal
        raise refusal

    def by_launch_key(self, shown: Credentials) -> None:
        given = parse_bearer(shown.authorization).encode()
        if not given:
            raise Unproven("no_proof")
        keys = [derive_launch_key(secret).encode() for secret in self.settings.secrets]
        # Each is compared, in constant time: the clock must not tell which one was nearly right.
        right = [hmac.compare_digest(given, key) for key in keys]
        if not any(right):
            raise self._record_wrong("launch key", shown.address, Unproven("wrong_proof"))

    def by_session(self, shown: Credentials) -> int:
        if not shown.session:
            raise Unproven("no_proof")
        try:
            return self.sessions.find_agent(shown.session)
        except Unproven as error:
            if error.code == "session_expired":
                raise
            # After a rotation an old session looks forged: the agent reads that it has ended.
            ended = Unproven("session_expired")
            raise self._record_wrong("session", shown.address, ended) from None

    def by_dashboard(self, shown: Credentials) -> int:
        """Chatwoot is asked once a minute; our cache knows the session by a keyed digest alone."""
        found = _parse_dashboard(shown.dashboard)
        if found is None:
            raise Unproven("no_proof")
        headers = {"access-token": found.token, "client": found.client, "uid": found.uid}
        resource = Resource(f"session-{self._digest(headers)}", 0, ACCESS_LIFETIMES, int)

        def fetch(by: Deadline) -> int:
            return self.profiles.find_by_session(headers, by)

        try:
            if self.cache.peek(resource) is None:
                self._refuse_blocked("Chatwoot session", shown.address)
            reading = self.cache.read(resource, CacheControl.FRESH, fetch)
        except Unauthorized as error:
            refusal = _explain_refusal(error, "dashboard_session_ended")
            raise self._record_wrong("Chatwoot session", shown.address, refusal) from None
        if reading.late:
            raise Unreachable(reading.late, "Chatwoot could not be asked", reading.retry_at)
        return reading.value

    def sign_in(self, token: str, address: str) -> int:
        """The agent with this access token, which is forgotten at once; raises as `prove` does."""
        if not self.takes_tokens:
            raise Denied("no_sign_in")
        self._refuse_blocked("access token", address)
        try:
            agent = self.profiles.find_by_token(token.strip())
        except Unauthorized as error:
            raise self._record_wrong(
                "access token", address, _explain_refusal(error, "wrong_token")
            ) from None
        if agent not in self.chatwoot.agents():
            raise Unproven("not_an_agent")
        return agent

    def _refuse_blocked(self, way: str, address: str) -> None:
        until = self.attempts.blocked_until(way, address)
        if until is not None:
            raise Denied("too_many_proofs", retry_at=until)

    def _record_wrong(self, way: str, address: str, refusal: Denied) -> Denied:
        """Count it, unless there were too many: then that is the refusal."""
        self._refuse_blocked(way, address)
        self.attempts.record_failure(way, address)
        return refusal

    def _digest(self, headers: Mapping[str, str]) -> str:
        text = msgspec.json.encode(sorted(headers.items()))
        return hmac.new(self.settings.secret.encode(), text, sha256).hexdigest()


def _parse_dashboard(cookie: str) -> Dashboard | None:
    """None for what Chatwoot's dashboard would never have written."""
    if not cookie or len(cookie) > LONGEST_COOKIE:
        return None
    try:
        return msgspec.json.decode(unquote(cookie, errors="strict"), type=Dashboard)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _explain_refusal(error: Unauthorized, unknown: str) -> Unproven:
    return Unproven(error.code if error.code == NOT_IN_ACCOUNT else unknown)


# Each answers the proven agent's id, or None where the page's word about them has to do.
METHODS: dict[str, Callable[[Authenticator, Credentials], int | None]] = {
    SHARED_SECRET: Authenticator.by_launch_key,
    ACCESS_TOKEN: Authenticator.by_session,
    CHATWOOT_SESSION: Authenticator.by_dashboard,
}
