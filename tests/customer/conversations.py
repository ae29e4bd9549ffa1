"""Conversations, links and people from which an organization is matched."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from panel.customer.matching import identify
from panel.data.directory import Match
from panel.data.links import CONVERSATION, MATCHED, Link
from panel.upstream.chatwoot import Contact, Conversation

WEB, MAIL, WHATSAPP = "Channel::WebWidget", "Channel::Email", "Channel::Whatsapp"

ANA, PHONE = "ana@acme.example", "+5561999990001"
DIGITS = PHONE.removeprefix("+")


def conversation(
    channel: str = WEB,
    signed: bool = False,
    claim: Any = None,
    contact: Any = None,
    identifier: str | None = None,
    email: str | None = ANA,
    phone: str | None = PHONE,
) -> Conversation:
    def named(value: Any) -> dict[str, Any]:
        return {} if value is None else {"middag_organization_id": value}

    person = Contact(301, "Ana", email, phone, identifier, named(contact))
    return Conversation(101, 1, channel, signed, person, named(claim))


def link(organization: int, state: str, scope: str = CONVERSATION, rests_on: str = "") -> Link:
    subject = 101 if scope == CONVERSATION else 301
    new_link = Link(scope, subject, organization, state, rests_on, agent=2, at=1.0)
    return replace(new_link, contact=301, email=ANA, phone=PHONE) if state != MATCHED else new_link


def knows(organization: int, key: str = "email", role: str = "owner", people: int = 1) -> Match:
    return Match(organization, key, role, people)


def found(
    talk: Conversation, *evidence: Link | Match, sources: Collection[str] = (DIGITS,)
) -> list[tuple[int, str, str]]:
    """Return the candidates. `sources`: the contact's addresses in the channel; for WhatsApp, the
    shown phone."""
    links = [row for row in evidence if isinstance(row, Link)]
    matches = [row for row in evidence if isinstance(row, Match)]
    candidates = identify(talk, links, matches, sources).candidates
    return [(candidate.organization, candidate.link, candidate.trust) for candidate in candidates]


# The trust that a channel gives to a contact whose e-mail, phone and identifier are genuine.
TRUST = [
    (WHATSAPP, False, "phone", "proven"),
    ("Channel::Sms", False, "phone", "proven"),
    ("Channel::TwilioSms", False, "phone", "proven"),
    ("Channel::Telegram", False, "phone", "unproven"),
    (WHATSAPP, False, "email", "unproven"),
    (WHATSAPP, True, "email", "unproven"),
    (MAIL, False, "email", "unproven"),
    (MAIL, False, "phone", "unproven"),
    (MAIL, True, "email", "unproven"),
    (WEB, False, "email", "unproven"),
    (WEB, False, "phone", "unproven"),
    (WEB, True, "email", "unproven"),
    (WEB, True, "phone", "unproven"),
    ("Channel::Api", False, "email", "unproven"),
    ("Channel::Api", True, "phone", "unproven"),
    ("Channel::Unheard", False, "phone", "unproven"),
    ("channel::whatsapp", False, "phone", "unproven"),
    ("", False, "email", "unproven"),
]
