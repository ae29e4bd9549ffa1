"""The conversations of a Chatwoot account: reads one, lists those of a contact, changes
attributes."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from panel.cache.entries import Resource
from panel.cache.policy import CacheControl
from panel.deadline import Deadline
from panel.errors import CHATWOOT_SIDE, Unreadable, naming_side
from panel.upstream.chatwoot_calls import ACCESS_LIFETIMES, AccountCalls, refuses_key
from panel.upstream.chatwoot_languages import strip_further
from panel.upstream.chatwoot_parts import (
    ConversationPart,
    ConversationsAnswer,
    WholeConversationsAnswer,
)
from panel.upstream.chatwoot_records import (
    ABSENT,
    ID_ATTRIBUTE,
    LIVING_STATUSES,
    Condition,
    Conversation,
    ListedConversation,
    make_question,
    parse_conversation,
    parse_listed,
    read_attributes,
)

log = logging.getLogger(__name__)
LISTED_CONVERSATIONS = 20  # of a contact, those with the latest activity: Chatwoot lists no more
FILTERED_CONVERSATIONS = 25  # a page of the filter
MOST_CONVERSATION_PAGES = 40  # of one contact, so a thousand


class ConversationCalls(AccountCalls):
    """Every method raises `PanelError`."""

    @naming_side(CHATWOOT_SIDE)
    def conversation(
        self, number: int, control: CacheControl = CacheControl.NO_CACHE
    ) -> Conversation:
        """Return the conversation with its contact, read anew unless `control` allows some age."""
        path = f"conversations/{number}"

        def fetch(by: Deadline) -> Any:
            return strip_further(self._fetch_parts(path, ConversationPart, by))

        return self._read_cached(_make_resource(number), path, fetch, control)

    def peek_conversation(self, number: int) -> Conversation | None:
        """Return the conversation as it was read within `ACCESS_LIFETIMES`, without a call."""
        reading = self._cache.peek(_make_resource(number))
        return reading.value if reading and not reading.late else None

    @naming_side(CHATWOOT_SIDE)
    def change_conversation(
        self,
        number: int,
        changes: Mapping[str, str | None],
        present: Mapping[str, Any] | None = None,
    ) -> None:
        """Set our keys, or remove those that are None: read, merge, write.

        Chatwoot up to 4.15 replaces the whole object, so the present attributes are sent along.
        `present`: the present attributes, where the caller has just read them. Raises
        `ValuesRefused` when the conversation cannot be saved as it is: it holds an older value that
        breaks today's limits.
        """
        path = f"conversations/{number}"
        if present is None:
            present = read_attributes(self._get_parts(path, ConversationPart))
        removed = {key for key, value in changes.items() if value is None}
        merged = {key: value for key, value in {**present, **changes}.items() if key not in removed}
        if merged != present:
            self._write("POST", f"{path}/custom_attributes", {"custom_attributes": merged})

    @naming_side(CHATWOOT_SIDE)
    def list_conversations(
        self, contact: int, statuses: tuple[str, ...] = ()
    ) -> list[ListedConversation]:
        """Return the contact's conversations: the last 20 of any status, then older ones of
        `statuses`.

        Without `statuses`, older ones of any status. Chatwoot's filter finds the older ones, 25 in
        a call; it knows `contact_id` since 4.14.2, and an older Chatwoot lists the last 20.
        """
        rows = self._get_parts(f"contacts/{contact}/conversations", ConversationsAnswer)["payload"]
        conversations = {row.id: row for row in map(parse_listed, rows)}
        if len(rows) >= LISTED_CONVERSATIONS:
            for row in self._filter_conversations(contact, statuses):
                conversations.setdefault(row.id, row)
        return list(conversations.values())

    @naming_side(CHATWOOT_SIDE)
    def list_unnamed(self, page: int) -> list[Conversation]:
        """Return a page of the unresolved conversations that name no organization; none where
        `setup` has not defined the attribute."""
        living = Condition("status", LIVING_STATUSES)
        question = make_question([living, Condition(ID_ATTRIBUTE, (), ABSENT)])
        path = f"conversations/filter?page={page}"
        try:
            rows = self._get_parts(path, WholeConversationsAnswer, question)["payload"]
        except Unreadable as error:
            if refuses_key(error):
                return []
            raise
        return [parse_conversation(row) for row in rows]

    def _filter_conversations(
        self, contact: int, statuses: tuple[str, ...]
    ) -> Iterator[ListedConversation]:
        conditions = [Condition("contact_id", str(contact))]
        conditions += [Condition("status", statuses)] if statuses else []
        question = make_question(conditions)
        for page in range(1, MOST_CONVERSATION_PAGES + 1):
            path = f"conversations/filter?page={page}"
            try:
                rows = self._get_parts(path, ConversationsAnswer, question)["payload"]
            except Unreadable as error:
                if refuses_key(error):
                    log.info("contact %d: this Chatwoot lists no more than its last 20", contact)
                    return
                raise
            yield from map(parse_listed, rows)
            if len(rows) < FILTERED_CONVERSATIONS:
                return


def _make_resource(number: int) -> Resource[Conversation]:
    return Resource("chatwoot-conversation", number, ACCESS_LIFETIMES, parse_conversation)
