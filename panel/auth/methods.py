"""Authentication methods: how a request proves that its viewer is an agent; `METHODS` lists them.

Every proof ends in the same seals, and no other module asks which proof it was. A proof that names
the agent outweighs the page's statement about them. A missing proof does not count as wrong. Wrong
proofs are counted by address (`throttle`) and logged, never with the credential itself. Pairs of
conversation and contact that do not belong together are counted too: a holder of the launch key
could guess such pairs.
"""

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from panel.auth.access import NOT_AN_AGENT, Denied, Unproven
from panel.auth.credentials import Asker, Credentials, Proof, parse_dashboard
from panel.auth.revocation import Revocations
from panel.auth.sessions import Session, Sessions
from panel.auth.throttle import (
    Limit,
    Throttle,
    limit_all_failures,
    limit_costly_failures,
    limit_failures,
)
from panel.auth.tokens import (
    ACCEPTED_PROOFS,
    ACCESS_TOKEN,
    CHATWOOT_SESSION,
    SHARED_SECRET,
    derive_launch_key,
    parse_bearer,
)
from panel.auth.whoami import NOT_IN_ACCOUNT, Profile, Profiles
from panel.cache.entries import Lifetimes, Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import Unauthorized, Unreachable
from panel.settings import Settings
from panel.upstream.chatwoot import Chatwoot

log = logging.getLogger(__name__)

DASHBOARD_COOKIE = "cw_d_session_info"  # the dashboard's session, Chatwoot 4.15.1
# Pairs of conversation and contact. Chatwoot sends right pairs; a merged contact or a deleted
# conversation makes a wrong one now and then. Wrong pairs are counted by peer and claimed agent, so
# a guesser does not lock out colleagues behind the same address, and made-up addresses do not help.
# A guesser can claim any agent at no cost, so there is a limit by address alone too; it is much
# higher.
PAIRS_BY_AGENT = Limit("wrong pair", 10)
PAIRS_BY_ADDRESS = Limit("wrong pair of any agent", 60)
# A session that Chatwoot no longer confirms opens nothing.
SESSION_LIFETIMES = Lifetimes(fresh=40, empty=40, kept=40, refused=5)
# Wrong proofs of these two ways cost a call to Chatwoot; the others are checked here.
TOKEN_WAY, SESSION_WAY = COSTLY_WAYS = ("access token", "Chatwoot session")
EVERYBODY = ""
UNLISTED = 0  # counts all unlisted agents together: an invented number brings no new guesses


@dataclass(frozen=True)
class Authenticator:
    settings: Settings
    chatwoot: Chatwoot
    cache: Cache
    sessions: Sessions
    profiles: Profiles
    attempts: Throttle
    revocations: Revocations

    @property
    def takes_tokens(self) -> bool:
        """Tell whether an agent can sign in."""
        return ACCESS_TOKEN in ACCEPTED_PROOFS[self.settings.agent_proof]

    def prove(self, credentials: Credentials) -> Proof:
        """Raises `Unproven` or `Denied`; `PanelError` when Chatwoot could not be asked."""
        refusal: Denied = Unproven("no_proof")
        for name in ACCEPTED_PROOFS[self.settings.agent_proof]:
            try:
                return METHODS[name](self, credentials)
            except Denied as error:
                refusal = error if error.code != "no_proof" else refusal
        raise refusal

    def find_generation(self, proof: Proof, agent: int) -> int:
        """Return the generation for a seal that comes of this proof: a session's own, so that the
        seal ends with it.

        While the database is silent it is 0: the seal's first check asks again.
        """
        if proof.generation is not None:
            return proof.generation
        return self.revocations.find(agent) or 0

    def by_launch_key(self, credentials: Credentials) -> Proof:
        sent_key = parse_bearer(credentials.authorization).encode()
        if not sent_key:
            raise Unproven("no_proof")
        keys = [derive_launch_key(secret).encode() for secret in self.settings.secrets]
        # All keys are compared, in constant time: the duration must not tell which is nearly right.
        right = [hmac.compare_digest(sent_key, key) for key in keys]
        if not any(right):
            raise self._record_wrong("launch key", credentials.address, Unproven("wrong_proof"))
        return Proof(SHARED_SECRET)

    def by_session(self, credentials: Credentials) -> Proof:
        """A session counts as a proof also while our database is silent and cannot confirm it. Then
        the session opens only records that Chatwoot itself allows. Once the session can be checked
        and has ended, its seals end too."""
        session = self._parse_session(credentials)
        if self.revocations.has_ended(session.agent, session.generation):
            raise Unproven("session_expired")
        if session.agent not in self.chatwoot.agents():
            # An agent who comes back must sign in again: the old seals and sessions have ended.
            self.revocations.end(session.agent, session.generation)
            raise Unproven(NOT_AN_AGENT)
        return Proof(ACCESS_TOKEN, session.agent, session.generation, session.locale)

    def _parse_session(self, credentials: Credentials) -> Session:
        if not credentials.session:
            raise Unproven("no_proof")
        try:
            return self.sessions.parse(credentials.session)
        except Unproven as error:
            if error.code == "session_expired":
                raise
            # After a rotation an old session looks forged; the agent reads that it has ended.
            refusal = Unproven("session_expired")
            raise self._record_wrong("session", credentials.address, refusal) from None

    def by_dashboard(self, credentials: Credentials) -> Proof:
        """Chatwoot is asked once a minute; our cache knows the session by a keyed digest alone."""
        session = parse_dashboard(credentials.dashboard)
        if session is None:
            raise Unproven("no_proof")
        headers = {"access-token": session.token, "client": session.client, "uid": session.uid}
        resource = Resource(
            f"session-{self._digest(headers)}", 0, SESSION_LIFETIMES, _parse_profile
        )

        def fetch(by: Deadline) -> dict[str, int | str]:
            return vars(self.profiles.find_by_session(headers, by))

        try:
            if self.cache.peek(resource) is None:
                self._refuse_blocked(SESSION_WAY, credentials.address, session.uid)
            reading = self.cache.read(resource, CacheControl.FRESH, fetch)
        except Unauthorized as error:
            refusal = _explain_refusal(error, "dashboard_session_ended")
            raise self._record_wrong(
                SESSION_WAY, credentials.address, refusal, session.uid
            ) from None
        if reading.late:
            raise Unreachable(reading.late, "Chatwoot could not be asked", reading.retry_at)
        return Proof(CHATWOOT_SESSION, reading.value.id, locale=reading.value.locale)

    def sign_in(self, token: str, address: str) -> Session:
        """Make a session for the agent with this access token, which is forgotten at once."""
        if not self.takes_tokens:
            raise Denied("no_sign_in")
        self._refuse_blocked(TOKEN_WAY, address)
        try:
            profile = self.profiles.find_by_token(token.strip())
        except Unauthorized as error:
            raise self._record_wrong(
                TOKEN_WAY, address, _explain_refusal(error, "wrong_token")
            ) from None
        if profile.id not in self.chatwoot.agents():
            raise Unproven(NOT_AN_AGENT)
        return Session(profile.id, self.revocations.find(profile.id) or 0, profile.locale)

    def sign_out(self, session: Session) -> bool:
        """End all sessions and seals of this agent; False: our database is silent."""
        return self.revocations.end(session.agent, session.generation)

    # -- pairs of conversation and contact -------------------------------------------------------

    def refuse_guesser(self, asker: Asker) -> None:
        """Raise `Denied` after too many wrong pairs, even for a right one, which would tell."""
        blocked = self.attempts.blocked_here_until
        until = blocked(PAIRS_BY_ADDRESS, asker.address)
        until = until or blocked(PAIRS_BY_AGENT, f"{asker.agent} {asker.peer}")
        strangers = blocked(PAIRS_BY_AGENT, f"{UNLISTED} {asker.peer}")
        if strangers and asker.agent not in self.chatwoot.agents():
            until = strangers
        if until:
            raise Denied("too_many_guesses", retry_at=until)

    def record_wrong_pair(self, asker: Asker, pair: tuple[int, int], refusal: Denied) -> Denied:
        """Count the pair; returns `refusal`, or the one for too many pairs."""
        ids = {"conversation": pair[0], "contact": pair[1], "agent": asker.agent}
        words = "conversation %d without contact %d asked by agent %d"
        log.warning(words, *ids.values(), extra={"fields": ids})
        agent = asker.agent if asker.agent in self.chatwoot.agents() else UNLISTED
        by_agent = self.attempts.count(PAIRS_BY_AGENT, f"{agent} {asker.peer}")
        until = self.attempts.count(PAIRS_BY_ADDRESS, asker.address) or by_agent
        return Denied("too_many_guesses", retry_at=until) if until else refusal

    # -- wrong proofs ----------------------------------------------------------------------------

    def _refuse_blocked(self, way: str, address: str, claimed_agent: str = "") -> None:
        """`claimed_agent`: the agent that the proof names. Each name has a count of its own, so a
        guest does not lock out a colleague behind the same address."""
        actor = f"{address} {claimed_agent}".rstrip()
        blocked = self.attempts.blocked_until
        until = blocked(limit_failures(way), actor)
        if claimed_agent and until is None:
            until = blocked(limit_all_failures(way), address)
        if way in COSTLY_WAYS and until is None:
            until = blocked(limit_costly_failures(way), EVERYBODY)
        if until is not None:
            raise Denied("too_many_proofs", retry_at=until)

    def _record_wrong(
        self, way: str, address: str, refusal: Denied, claimed_agent: str = ""
    ) -> Denied:
        """Count the proof; returns `refusal`, or the one for too many proofs."""
        self._refuse_blocked(way, address, claimed_agent)
        self.attempts.record_failure(way, address, claimed_agent)
        if way in COSTLY_WAYS:
            self.attempts.count(limit_costly_failures(way), EVERYBODY)
        return refusal

    def _digest(self, headers: Mapping[str, str]) -> str:
        text = msgspec.json.encode(sorted(headers.items()))
        return hmac.new(self.settings.secret.encode(), text, sha256).hexdigest()


def _parse_profile(body: Any) -> Profile:
    """Read the profile as stored; a version before 30 November 2026 stored the number alone."""
    return Profile(**body) if isinstance(body, dict) else Profile(int(body))


def _explain_refusal(error: Unauthorized, unknown: str) -> Unproven:
    return Unproven(error.code if error.code == NOT_IN_ACCOUNT else unknown)


METHODS: dict[str, Callable[[Authenticator, Credentials], Proof]] = {
    SHARED_SECRET: Authenticator.by_launch_key,
    ACCESS_TOKEN: Authenticator.by_session,
    CHATWOOT_SESSION: Authenticator.by_dashboard,
}
