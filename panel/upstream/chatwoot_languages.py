"""The language of the customer, as far as Chatwoot tells it."""

from collections.abc import Iterator
from typing import Any

# The likeliest comes first: the language that Chatwoot recognized in their messages, then the one
# noted for the contact, then their browser's.
LANGUAGE_FIELDS = ("conversation_language", "language", "locale", "browser_language")
COMPANY_FIELD = "company_name"  # the name that agents typed for a contact's company


def strip_further(conversation: dict[str, Any]) -> dict[str, Any]:
    """Keep only the further attributes that we read: anybody may fill the others."""
    for owner in (conversation, conversation["meta"]["sender"]):
        further = owner.pop("additional_attributes", None)
        if isinstance(further, dict):
            fields = (*LANGUAGE_FIELDS, COMPANY_FIELD)
            owner["additional_attributes"] = {
                name: further[name] for name in fields if name in further
            }
    return conversation


def read_languages(conversation: dict[str, Any]) -> tuple[str, ...]:
    """Return language tags, the likeliest first, as they came: `pt`, `pt-BR`, `pt_BR`."""
    owned = [owner for owner in _list_owned(conversation) if isinstance(owner, dict)]
    values = (owner.get(name) for name in LANGUAGE_FIELDS for owner in owned)
    return tuple(value for value in values if isinstance(value, str) and value)


def _list_owned(conversation: dict[str, Any]) -> Iterator[object]:
    sender = conversation["meta"]["sender"]
    yield conversation.get("additional_attributes")
    yield sender.get("additional_attributes")
    yield sender.get("custom_attributes")
