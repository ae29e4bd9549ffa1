"""Which organizations does this conversation belong to, how do we know, and may it be disclosed?

Our own links come first. What stands in Chatwoot's attributes or `identifier` is a *claim*: a
website visitor can write all three (contracts/chatwoot.md §3.4), so it is shown as claimed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from panel.chatwoot import Conversation
from panel.links import CONVERSATION, MATCHED, PICKED, REFUSED, Link

ATTRIBUTE = "middag_organization_id"
NAME_ATTRIBUTE = "middag_organization"
IDENTIFIER = re.compile(r"middag:organization:([1-9][0-9]{0,17})")
CLAIMED = "claimed"
MOST_CANDIDATES = 10

# The one table of trust: what a channel proves about the person who writes in it. A link is proven
# when it rests on one of these keys; `contact` stands for a link that an agent put on the contact.
PHONE_CHANNELS = ("Channel::Whatsapp", "Channel::Sms", "Channel::TwilioSms", "Channel::Telegram")
PROVES = {
    **dict.fromkeys(PHONE_CHANNELS, frozenset({"phone", "contact"})),
    "Channel::Email": frozenset({"email", "contact"}),
}
SIGNED = frozenset({"identifier", "email", "contact"})  # `hmac_verified`: the website signed them


@dataclass(frozen=True)
class Candidate:
    """One organization that the conversation may belong to.

    `link`: picked, matched or claimed; `source`: where that was found; `agent`, `at`: who picked.
    """

    organization: int
    link: str
    source: str
    trust: str
    agent: int | None = None
    at: float | None = None


@dataclass(frozen=True)
class Found:
    """`candidates` of the first source that has any; `refused`: what agents said no to, here."""

    candidates: tuple[Candidate, ...]
    refused: tuple[Link, ...] = ()

    def get(self, organization: int) -> Candidate | None:
        named = [each for each in self.candidates if each.organization == organization]
        return named[0] if named else None


def identify(conversation: Conversation, links: list[Link]) -> Found:
    refused = {link.organization: link for link in links if link.state == REFUSED}
    # A pick for this very conversation outweighs an older "no" for the contact.
    here = [link for link in links if link.scope == CONVERSATION and link.state == PICKED]
    usable = [link for link in links if link.organization not in refused]
    for level in (here, _of(usable, PICKED), _matched(usable)):
        if level:
            linked = tuple(_linked(link, conversation) for link in level)
            return Found(_once(linked), tuple(refused.values()))
    return Found(_claims(conversation, set(refused)), tuple(refused.values()))


def _of(links: Iterable[Link], state: str) -> list[Link]:
    return [link for link in links if link.state == state]


def _matched(links: list[Link]) -> list[Link]:
    """Of contacts alone: that of a conversation only notes what we wrote there."""
    return [link for link in _of(links, MATCHED) if link.scope != CONVERSATION]


def _linked(link: Link, conversation: Conversation) -> Candidate:
    return Candidate(
        organization=link.organization,
        link=link.state,
        source=link.rests_on or link.scope,
        trust=_trust(link, conversation),
        agent=link.agent,
        at=link.at,
    )


def _trust(link: Link, conversation: Conversation) -> str:
    if link.state == PICKED and link.scope == CONVERSATION:
        return "proven"
    proves = PROVES.get(conversation.channel, frozenset())
    if conversation.signed:
        proves |= SIGNED
    key = "contact" if link.state == PICKED else link.rests_on
    return "proven" if key in proves else "unproven"


def _claims(conversation: Conversation, refused: set[int]) -> tuple[Candidate, ...]:
    contact = conversation.contact
    sources = (
        ("conversation attribute", _numbers(conversation.attributes.get(ATTRIBUTE))),
        ("contact attribute", _numbers(contact.attributes.get(ATTRIBUTE))),
        ("identifier", IDENTIFIER.fullmatch(contact.identifier or "")),
    )
    for source, found in sources:
        numbers = [int(found[1])] if isinstance(found, re.Match) else found or []
        usable = [number for number in numbers if number not in refused]
        if usable:
            claims = (Candidate(number, CLAIMED, source, "unproven") for number in usable)
            return _once(claims)
    return ()


def _numbers(value: object) -> list[int]:
    """`42`, `"42"` or `"42,45"`; anything else claims nothing."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    parts = [part.strip() for part in text.split(",")]
    return [int(part) for part in parts if re.fullmatch(r"[1-9][0-9]{0,17}", part)]


def _once(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    first: dict[int, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.organization, candidate)
    return tuple(first.values())[:MOST_CANDIDATES]
