"""The language of the customer, as far as Chatwoot tells it."""

from collections.abc import Iterator
from typing import Any

# The likeliest comes first: the language that Chatwoot recognized in their messages, then the one
# noted for the contact, then their browser's.
LANGUAGE_FIELDS = ("conversation_language", "language", "locale", "browser_language")


def strip_further(conversation: dict[str, Any]) -> dict[str, Any]:
    """Keep only the languages among the further attributes, which anybody may fill."""
    for owner in (conversation, conversation["meta"]["sender"]):
        further = owner.pop("additional_attributes", None)
        if isinstance(further, dict):
            kept = {name: further[name] for name in LANGUAGE_FIELDS if name in further}
            owner["additional_attributes"] = kept
    return conversation


def read_languages(conversation: dict[str, Any]) -> tuple[str, ...]:
    """Return language tags, the likeliest first, as they came: `pt`, `pt-BR`, `pt_BR`."""
    owned = [each for each in _list_owned(conversation) if isinstance(each, dict)]
    told = (each.get(name) for name in LANGUAGE_FIELDS for each in owned)
    return tuple(value for value in told if isinstance(value, str) and value)


def _list_owned(conversation: dict[str, Any]) -> Iterator[object]:
    sender = conversation["meta"]["sender"]
    yield conversation.get("additional_attributes")
    yield sender.get("additional_attributes")
    yield sender.get("custom_attributes")
