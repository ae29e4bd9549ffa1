"""The client of Chatwoot's API; it returns plain values.

The records that decide about access (agents, members of an inbox or a team, the conversation) are
kept for a short while (`ACCESS_LIFETIMES`).
"""

from collections.abc import Collection
from typing import Any

from panel.models.text import clean
from panel.upstream.chatwoot_access import AccessCalls
from panel.upstream.chatwoot_calls import ACCESS_LIFETIMES, connect
from panel.upstream.chatwoot_contacts import PAGE_CONTACTS, ContactCalls
from panel.upstream.chatwoot_conversations import ConversationCalls
from panel.upstream.chatwoot_messages import MessageCalls
from panel.upstream.chatwoot_records import (
    ADMINISTRATOR,
    ID_ATTRIBUTE,
    LIVING_STATUSES,
    LONGEST_NAME,
    NAME_ATTRIBUTE,
    RESOLVED,
    ROLE_ATTRIBUTE,
    Agent,
    Condition,
    Contact,
    Conversation,
    ListedConversation,
    ValuesRefused,
)

__all__ = [
    "ACCESS_LIFETIMES",
    "ADMINISTRATOR",
    "ID_ATTRIBUTE",
    "LIVING_STATUSES",
    "LONGEST_NAME",
    "NAME_ATTRIBUTE",
    "PAGE_CONTACTS",
    "RESOLVED",
    "ROLE_ATTRIBUTE",
    "Agent",
    "Chatwoot",
    "Condition",
    "Contact",
    "Conversation",
    "ListedConversation",
    "ValuesRefused",
    "connect",
]


class Chatwoot(AccessCalls, ConversationCalls, MessageCalls, ContactCalls):
    """Calls to one account, with the token of `CHATWOOT_API_TOKEN`. Every method raises
    `PanelError`."""

    def version(self) -> str:
        """Return such as `4.16.2`, empty where Chatwoot does not say; it needs no token."""
        with self._reporting("version"):
            body = self._client.get("api").body
        version = body.get("version") if isinstance(body, dict) else None
        return clean(version) if isinstance(version, str) else ""

    def forget_copies(self, conversations: Collection[int], contacts: Collection[int]) -> bool:
        """Remove the kept copies of these conversations and contacts; False when the cache could
        not be asked."""
        names = [(number, "chatwoot-conversation") for number in conversations]
        names += [(number, "chatwoot-sources") for number in contacts]
        results = [self._cache.forget(number, name) for number, name in names]
        return all(results)

    def administer(self, method: str, path: str, body: Any = None) -> Any:
        """Call the account's settings (definitions, apps, webhooks), mostly as administrator."""
        if method == "GET":
            return self._get(path)
        answer = self._send(method, path, body, again=False)
        self._record_write(method, path)
        return answer
