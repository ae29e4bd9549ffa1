"""The parts that we read of Chatwoot's answers. The rest is never built, kept or logged.

A conversation holds its last message twice, with every form of a mail's text, and may have
megabytes; a visitor can write megabytes into the attributes of a contact.
"""

import msgspec

Field = msgspec.Raw | msgspec.UnsetType


class Part(msgspec.Struct, omit_defaults=True):
    """An absent field stays absent."""


class ContactPart(Part):
    id: Field = msgspec.UNSET
    name: Field = msgspec.UNSET
    email: Field = msgspec.UNSET
    phone_number: Field = msgspec.UNSET
    identifier: Field = msgspec.UNSET
    custom_attributes: Field = msgspec.UNSET
    additional_attributes: Field = msgspec.UNSET
    contact_inboxes: Field = msgspec.UNSET


class ContactAnswer(Part):
    payload: ContactPart


class ContactsAnswer(Part):
    """A page of a list, of a filter or of a search."""

    payload: list[ContactPart]
    meta: Field = msgspec.UNSET


class TeamPart(Part):
    id: Field = msgspec.UNSET


class MetaPart(Part):
    sender: ContactPart
    channel: Field = msgspec.UNSET
    hmac_verified: Field = msgspec.UNSET
    team: TeamPart | None = None


class ListedPart(Part):
    """A conversation in a list."""

    id: msgspec.Raw
    status: Field = msgspec.UNSET
    custom_attributes: Field = msgspec.UNSET


class ConversationPart(ListedPart, kw_only=True):
    inbox_id: msgspec.Raw
    meta: MetaPart
    additional_attributes: Field = msgspec.UNSET
    created_at: Field = msgspec.UNSET
    last_activity_at: Field = msgspec.UNSET
    waiting_since: Field = msgspec.UNSET


class ConversationsAnswer(Part):
    payload: list[ListedPart]


class MessagePart(Part):
    id: msgspec.Raw
    content: Field = msgspec.UNSET
    private: Field = msgspec.UNSET
    source_id: Field = msgspec.UNSET
    created_at: Field = msgspec.UNSET


class MessagesAnswer(Part):
    payload: list[MessagePart]


class WholeConversationsAnswer(Part):
    payload: list[ConversationPart]
