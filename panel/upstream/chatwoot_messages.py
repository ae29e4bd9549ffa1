"""The messages of a Chatwoot conversation: writes private notes, and lists messages."""

from panel.errors import CHATWOOT_SIDE, naming_side
from panel.upstream.chatwoot_calls import AccountCalls
from panel.upstream.chatwoot_parts import MessagesAnswer
from panel.upstream.chatwoot_records import Message, parse_message, require_number

MOST_MESSAGE_PAGES = 10  # of one conversation, 20 messages a page


class MessageCalls(AccountCalls):
    """Every method raises `PanelError`."""

    @naming_side(CHATWOOT_SIDE)
    def create_note(self, conversation: int, text: str, source: str) -> int:
        """Write a private note, seen by agents alone; returns its number. The note is sent once: a
        caller who does not know the outcome looks for `source` in `list_messages`.

        Chatwoot takes `{{ … }}` and `{% … %}` in an agent's text for Liquid, so no value may
        contain them.
        """
        plain = text.replace("{{", "{ {").replace("{%", "{ %")
        fields = {"content": plain, "private": True, "message_type": "outgoing"}
        path = f"conversations/{conversation}/messages"
        return require_number(
            self._write("POST", path, {**fields, "source_id": source}, again=False), "id"
        )

    @naming_side(CHATWOOT_SIDE)
    def list_messages(self, conversation: int, since: float) -> list[Message]:
        """Return the messages since then (epoch seconds), and some before; 20 in a call."""
        path, messages = f"conversations/{conversation}/messages", list[Message]()
        for _ in range(MOST_MESSAGE_PAGES):
            oldest = f"?before={messages[0].id}" if messages else ""
            rows = self._get_parts(path + oldest, MessagesAnswer)["payload"]
            page = [parse_message(row) for row in rows]
            messages = [*page, *messages]
            if not page or page[0].created_at < since:
                break
        return messages
