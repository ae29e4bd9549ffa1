"""The parts that we read of Chatwoot's events. The rest is never built.

An event holds a conversation's last message several times, with every form of a mail's text, and
may have megabytes.
"""

from typing import Any

import msgspec

PartField = msgspec.Raw | msgspec.UnsetType


class EventPart(msgspec.Struct):
    """The fields that any event has about itself, its conversation or its contact; an absent field
    stays absent."""

    event: PartField = msgspec.UNSET
    id: PartField = msgspec.UNSET
    status: PartField = msgspec.UNSET
    message_type: PartField = msgspec.UNSET
    private: PartField = msgspec.UNSET
    sender: PartField = msgspec.UNSET
    meta: PartField = msgspec.UNSET
    email: PartField = msgspec.UNSET
    phone_number: PartField = msgspec.UNSET
    custom_attributes: PartField = msgspec.UNSET
    changed_attributes: PartField = msgspec.UNSET
    conversation: PartField = msgspec.UNSET


def read_event(raw: bytes) -> dict[str, Any] | None:
    """The event's parts as plain JSON; None where it is no JSON object."""
    try:
        parts = _read_parts(raw)
        if "conversation" in parts:
            parts["conversation"] = _read_parts(parts["conversation"])
        return {name: _decode(part) for name, part in parts.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read_parts(raw: Any) -> dict[str, Any]:
    """The fields of an object that we know, not decoded; none where it is no object, but the event
    itself has to be one."""
    try:
        part = msgspec.json.decode(raw, type=EventPart)
    except msgspec.ValidationError:
        if isinstance(raw, msgspec.Raw):
            return {}
        raise
    fields = {name: getattr(part, name) for name in part.__struct_fields__}
    return {name: field for name, field in fields.items() if field is not msgspec.UNSET}


def _decode(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _decode(inner) for name, inner in part.items()}
    return msgspec.json.decode(part)
