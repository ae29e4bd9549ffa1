"""The checks of a verification: whether it is still valid for the contact as Chatwoot has it."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass

from panel.cache.policy import CacheControl
from panel.data.verifications import Verification, Verifications, digest_keys
from panel.upstream.chatwoot import RESOLVED, Chatwoot, Contact, Conversation


def digest_present_keys(
    secret: str, chatwoot: Chatwoot, contact: Contact, control: CacheControl = CacheControl.NO_CACHE
) -> str:
    """Digest the keys that the contact has now; raises `PanelError`."""
    return digest_keys(secret, contact, chatwoot.addresses(contact.id, control))


def find_departed(
    chatwoot: Chatwoot,
    verifications: Collection[Verification],
    control: CacheControl = CacheControl.FRESH,
) -> Collection[int]:
    """Return the agents who gave their word for these and have left the account since.

    The word of an agent ends with the agent: a dismissed one proves no customer. Raises
    `PanelError`.
    """
    witnesses = {row.witness for row in verifications} - {0}
    return witnesses - chatwoot.agents(control).keys() if witnesses else ()


@dataclass(frozen=True)
class VerificationChecks:
    secret: str
    chatwoot: Chatwoot
    verifications: Verifications

    def end_outdated(
        self, opening: Verification, conversation: Conversation, control: CacheControl
    ) -> str:
        """End the verification if it is no longer valid. Returns the reason, empty if it is valid.

        A verification ends with the conversation and with any change of the contact's keys. An
        agent's word ends with the agent, too. Raises `PanelError`.
        """
        if departed := find_departed(self.chatwoot, [opening], control):
            self.verifications.end_words(conversation.id, departed)
            return "its agent has left the account"
        present = digest_present_keys(self.secret, self.chatwoot, conversation.contact, control)
        if conversation.status == RESOLVED or not hmac.compare_digest(opening.digest, present):
            self.verifications.end(conversation.id)
            return "resolved, or the contact has other keys now"
        return ""
