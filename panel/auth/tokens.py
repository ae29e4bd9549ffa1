"""Signed tokens: the launch key that opens the panel, and the seal that says which agent may see
which organization.

A launch key is derived from the shared secret, so the address that Chatwoot keeps never holds the
secret. A seal is our signed statement of half an hour: this agent, proven so, may see this
organization from this conversation and contact. Every accepted secret verifies, the first one
signs.
"""

import hmac
import logging
import math
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from panel.auth.access import NOT_AN_AGENT, Access, Denied
from panel.auth.background_checks import ACCESS_UNCHECKED, BackgroundChecks, RunningCheck
from panel.auth.revocation import Revocations
from panel.auth.seal import InvalidSeal, Seal, list_values, name_values
from panel.auth.verification_checks import VerificationChecks
from panel.cache.policy import CacheControl
from panel.cache.ttl_cache import TtlCache
from panel.data.verifications import Verification, Verifications
from panel.errors import Busy, Missing, PanelError, Unreachable
from panel.settings import Settings
from panel.upstream.chatwoot import Chatwoot

log = logging.getLogger(__name__)

SEAL_SECONDS = 30 * 60
# A valid seal is not checked again for a moment. Together with `ACCESS_LIFETIMES` of Chatwoot's
# lists, a removed agent is refused within the minute. An invalid seal is never remembered.
CHECKED_SECONDS = 10.0
MOST_CHECKED = 4096
REFUSED_SECONDS = 30.0  # how long the refusal of a background check is kept for `/changes`
SHARED_SECRET = "shared-secret"  # noqa: S105 the name of a proof
ACCESS_TOKEN = "access-token"  # noqa: S105 the name of a proof
CHATWOOT_SESSION = "chatwoot-session"
# The accepted proofs for each setting, tried in this order. Chatwoot's mobile app has no session of
# the dashboard: its users can sign in with their token as well, which proves as much.
ACCEPTED_PROOFS = {
    SHARED_SECRET: (SHARED_SECRET,),
    ACCESS_TOKEN: (ACCESS_TOKEN,),
    CHATWOOT_SESSION: (CHATWOOT_SESSION, ACCESS_TOKEN),
}


def _digest(header: str | None) -> bytes:
    return sha256((header or "").encode()).digest()


@cache
def derive_launch_key(secret: str) -> str:
    digest = hmac.new(secret.encode(), b"middag panel: launch key", sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def make_launch_url(settings: Settings, base: str) -> str:
    """Return the address to register as dashboard app; only `shared-secret` needs the key in it."""
    key = derive_launch_key(settings.secret) if settings.agent_proof == SHARED_SECRET else ""
    return f"{base.rstrip('/')}/" + (f"#k={key}" if key else "")


def parse_bearer(header: str | None) -> str:
    """Return the text behind `Bearer `, or an empty one."""
    scheme, _, value = (header or "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def make_signer(settings: Settings, purpose: str) -> URLSafeTimedSerializer:
    """Sign with the first secret, verify with all; a token for one purpose fits no other."""
    keys = [derive_launch_key(f"{purpose} {secret}") for secret in reversed(settings.secrets)]
    return URLSafeTimedSerializer(keys, salt=purpose, signer_kwargs={"digest_method": sha256})


class Seals:
    """Signs seals, and checks agent and conversation behind each of them."""

    def __init__(
        self,
        settings: Settings,
        chatwoot: Chatwoot,
        access: Access,
        checks: BackgroundChecks,
        revocations: Revocations,
        verifications: Verifications,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._chatwoot = chatwoot
        self._access = access
        self._checks = checks
        self._revocations = revocations
        self._verifications = verifications
        self._verification_checks = VerificationChecks(settings.secret, chatwoot, verifications)
        self._clock = clock
        self._signer = make_signer(settings, "seal")
        self._checked = TtlCache[Seal](MOST_CHECKED, clock)
        self._refused = TtlCache[InvalidSeal](MOST_CHECKED, clock)

    def sign(self, seal: Seal) -> str:
        """Sign the seal; `since` 0: proven now. The names of the fields are left out, because every
        request carries a seal."""
        dated = replace(seal, since=seal.since or int(time.time()))
        return str(self._signer.dumps(list_values(dated)))

    def open(self, header: str | None) -> Seal:
        """Return the seal of a request, with its agent and conversation checked within the minute.

        Raises `InvalidSeal` (401), or another `PanelError` when Chatwoot cannot be asked.
        """
        seal, is_checked = self.open_in_time(header)
        if not is_checked:
            raise Unreachable(ACCESS_UNCHECKED, "Chatwoot does not answer in time")
        return seal

    def open_in_time(self, header: str | None) -> tuple[Seal, bool]:
        """Like `open`, and whether Chatwoot decided now: False where it was too slow, so that its
        earlier answer decided."""
        digest = _digest(header)
        if checked := self._find_checked(digest):
            self._require_verification(checked)
            return checked, True
        seal, seconds = self._verify(header)
        self._require_verification(seal)
        try:
            self._checks.wait(self._start_check(digest, seal, seconds))
        except InvalidSeal:
            raise
        except PanelError as error:
            try:
                self._check(seal, CacheControl.ONLY_IF_CACHED)
            except Busy:
                raise error from None
            return seal, False
        return seal, True

    def open_at_once(self, header: str | None) -> Seal:
        """Open the seal for an answer that shows no data. A due check runs in the background, and
        its result counts for the next request."""
        digest = _digest(header)
        if checked := self._find_checked(digest):
            self._require_verification(checked)
            return checked
        seal, seconds = self._verify(header)
        self._require_verification(seal)
        if refusal := self._refused.get(digest):
            raise InvalidSeal(refusal.code, refusal.detail)
        self._start_check(digest, seal, seconds)
        return seal

    def _find_checked(self, digest: bytes) -> Seal | None:
        """Return the seal if it was valid a moment ago and its agent has not signed out here
        since."""
        seal = self._checked.get(digest)
        has_ended = seal and self._revocations.has_ended_here(seal.agent, seal.generation)
        return None if has_ended else seal

    def _require_verification(self, seal: Seal) -> Verification | None:
        """Return the verification that the seal rests on, if it rests on one.

        The database is asked each time, for an agent can undo a verification. While the database is
        silent, the seal is invalid.
        """
        if not seal.verification:
            return None
        opening = self._verifications.find_opening(
            seal.conversation, seal.organization, seal.verification
        )
        if opening is None:
            names = ("agent", "conversation", "organization")
            fields = {name: getattr(seal, name) for name in names}
            log.info("a seal was refused: its verification has ended", extra={"fields": fields})
            raise InvalidSeal("seal_expired", "the verification was undone, or has ended")
        return opening

    def _start_check(self, digest: bytes, seal: Seal, seconds: float) -> RunningCheck[None]:
        def work() -> None:
            try:
                self._check(seal)
            except InvalidSeal as refusal:
                self._refused.put(digest, refusal, self._clock() + REFUSED_SECONDS)
                raise
            self._checked.put(digest, seal, self._clock() + min(seconds, CHECKED_SECONDS))

        return self._checks.start(digest, work)

    def _verify(self, header: str | None) -> tuple[Seal, float]:
        """Check our signature; returns the seal, and for how many seconds it is still valid."""
        try:
            content, signed = self._signer.loads(
                parse_bearer(header), max_age=SEAL_SECONDS, return_timestamp=True
            )
            seal = name_values(content)
        except SignatureExpired:
            raise InvalidSeal("seal_expired") from None
        except (BadSignature, TypeError, ValueError):
            raise InvalidSeal("seal_invalid") from None
        settings = self._settings
        is_ours = seal.account == settings.chatwoot_account_id
        if not is_ours or seal.proof not in ACCEPTED_PROOFS[settings.agent_proof]:
            raise InvalidSeal("seal_invalid")
        seconds = min(signed.timestamp(), seal.since or math.inf) + SEAL_SECONDS - time.time()
        if seconds < 0:
            raise InvalidSeal("seal_expired")
        return seal, seconds

    def _check(self, seal: Seal, control: CacheControl = CacheControl.FRESH) -> None:
        has_ended = self._revocations.has_ended(seal.agent, seal.generation)
        try:
            conversation = self._chatwoot.conversation(seal.conversation, control)
            self._access.admit(seal.agent, conversation, control)
        except (Denied, Missing) as refused:
            # An agent who comes back must sign in again: the old seals and sessions have ended.
            if refused.code == NOT_AN_AGENT and not has_ended:
                self._revocations.end(seal.agent, seal.generation)
            raise InvalidSeal("agent_removed", refused.code) from refused
        if has_ended:
            raise InvalidSeal("seal_expired", "its agent signed out, or was removed meanwhile")
        if conversation.contact.id != seal.contact:
            raise InvalidSeal("agent_removed", "the conversation has another contact now")
        opening = self._require_verification(seal)
        reason = opening and self._verification_checks.end_outdated(opening, conversation, control)
        if reason:
            raise InvalidSeal("seal_expired", reason)
