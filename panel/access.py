"""Who is looking: proofs, and the seals that they end in (design §4.2, §4.3).

A launch key is derived from the shared secret, so the address that Chatwoot keeps never holds the
secret. A seal is our signed statement of half an hour: this agent, proven so, may see this
organization from this conversation and contact. Every accepted secret verifies, the first signs.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from hashlib import sha256

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from panel.cache import Ask
from panel.chatwoot import Agent, Chatwoot, Conversation
from panel.errors import GiveUp, Missing
from panel.settings import Settings

SEAL_SECONDS = 30 * 60
SHARED_SECRET = "shared-secret"  # noqa: S105 the name of a proof
ADMINISTRATOR = "administrator"


class Denied(GiveUp):
    """The viewer may not see this. `code` is shown; the caller answers 401 or 403."""

    code = "denied"


class Unsealed(GiveUp):
    """`seal_expired`, `seal_invalid` or `agent_removed`: the panel shall prove itself anew."""

    code = "seal_invalid"


@dataclass(frozen=True)
class Seal:
    """`organization` 0: proven, but no organization found yet. `trust`: see `identity`."""

    agent: int
    proof: str
    account: int
    conversation: int
    contact: int
    organization: int = 0
    trust: str = "unproven"


def launch_key(secret: str) -> str:
    digest = hmac.new(secret.encode(), b"middag panel: launch key", sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def launch_url(settings: Settings, base: str) -> str:
    """The address to register as dashboard app; only `shared-secret` needs the key in it."""
    key = launch_key(settings.secret) if settings.agent_proof == SHARED_SECRET else ""
    return f"{base.rstrip('/')}/" + (f"#k={key}" if key else "")


def bearer(header: str | None) -> str:
    """What stands behind `Bearer `, or nothing."""
    scheme, _, value = (header or "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def prove(settings: Settings, header: str | None) -> str:
    """The name of the proof that the request brings; raises `Denied`."""
    if settings.agent_proof != SHARED_SECRET:
        raise Denied("proof_unavailable", f"{settings.agent_proof} is not built yet")
    given = bearer(header).encode()
    # Every key is compared, in constant time: the clock must not tell which one was nearly right.
    right = [hmac.compare_digest(given, launch_key(each).encode()) for each in settings.secrets]
    if not any(right):
        raise Denied("no_proof" if not given else "wrong_proof")
    return SHARED_SECRET


class Access:
    """Seals, and the checks that stand behind each of them."""

    def __init__(self, settings: Settings, chatwoot: Chatwoot) -> None:
        self._settings = settings
        self._chatwoot = chatwoot
        keys = [launch_key(f"seal {secret}") for secret in reversed(settings.secrets)]
        self._signer = URLSafeTimedSerializer(
            keys, salt="seal", signer_kwargs={"digest_method": sha256}
        )

    def seal(self, seal: Seal) -> str:
        return str(self._signer.dumps(asdict(seal)))

    def opened(self, header: str | None) -> Seal:
        """The seal of a request, with its agent and conversation checked within the minute.

        Raises `Unsealed` (401), or another `PanelError` when Chatwoot cannot be asked.
        """
        try:
            seal = Seal(**self._signer.loads(bearer(header), max_age=SEAL_SECONDS))
        except SignatureExpired:
            raise Unsealed("seal_expired") from None
        except (BadSignature, TypeError, ValueError):
            raise Unsealed("seal_invalid") from None
        now = (self._settings.chatwoot_account_id, self._settings.agent_proof)
        if (seal.account, seal.proof) != now:
            raise Unsealed("seal_invalid")
        try:
            conversation = self._chatwoot.conversation(seal.conversation, Ask.FRESH)
            self.admit(seal.agent, conversation)
        except (Denied, Missing) as refused:
            raise Unsealed("agent_removed", refused.code) from refused
        if conversation.contact.id != seal.contact:
            raise Unsealed("agent_removed", "the conversation has another contact now")
        return seal

    def admit(self, agent: int, conversation: Conversation) -> Agent:
        """The agent, if they are listed and may see this conversation; raises `Denied`."""
        found = self._chatwoot.agents().get(agent)
        if found is None:
            raise Denied("not_an_agent")
        if self._settings.inboxes and conversation.inbox not in self._settings.inboxes:
            raise Denied("inbox_not_served")
        # Chatwoot shows every inbox to administrators, member or not.
        checked = self._settings.check_inbox and found.role != ADMINISTRATOR
        if checked and agent not in self._chatwoot.members(conversation.inbox):
            raise Denied("not_in_inbox")
        return found
