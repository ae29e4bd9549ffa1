"""Matching a conversation to organizations: which ones, by what evidence, and with which trust.

Our own links come first. What stands in Chatwoot's attributes or `identifier` is a *claim*: a
website visitor can write all three (contracts/chatwoot.md §3.4), so it is shown as claimed. Last
comes who knows the contact's e-mail or phone; where the channel proves that key, it comes before
every claim.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from panel.data.directory import Keys, Match
from panel.data.links import CONVERSATION, MATCHED, PICKED, REFUSED, Link
from panel.phones import normalize_phone
from panel.upstream.chatwoot import ID_ATTRIBUTE, Contact, Conversation

IDENTIFIER = re.compile(r"middag:organization:([1-9][0-9]{0,17})")
CLAIMED = "claimed"
MOST_CANDIDATES = 10

# The one table of trust: which key of the person who writes a channel proves. A match is proven
# when the organization knows that key as the contact shows it *now*, a pick for the contact when
# it is the key that the contact had when the agent picked: a visitor can change what stands there.
PHONE_CHANNELS = ("Channel::Whatsapp", "Channel::Sms", "Channel::TwilioSms", "Channel::Telegram")
PROVES = {
    **dict.fromkeys(PHONE_CHANNELS, frozenset({"phone"})),
    "Channel::Email": frozenset({"email"}),
}
NAMELESS = ("Channel::Telegram",)  # its sources are Telegram's own numbers, no phones


@dataclass(frozen=True)
class Candidate:
    """One organization that the conversation may belong to.

    `link`: picked, matched or claimed; `source`: where that was found; `agent`, `at`: who picked.
    Of a match, `value` is the key, `role` whose it is, `fits` how many organizations know it.
    """

    organization: int
    link: str
    source: str
    trust: str
    agent: int | None = None
    at: float | None = None
    value: str = ""
    role: str = ""
    fits: int = 0


@dataclass(frozen=True)
class Identification:
    """`candidates` of the first source that has any; `refused`: what agents said no to, here."""

    candidates: tuple[Candidate, ...]
    refused: tuple[Link, ...] = ()

    def get(self, organization: int) -> Candidate | None:
        named = [each for each in self.candidates if each.organization == organization]
        return named[0] if named else None


def describe_customer(conversation: Conversation) -> str:
    """All that decides here who the customer is, as `panel.js` says it of what the dashboard shows.

    No evidence, for anybody can say it; but a kept copy that says the same is not outdated.
    """
    who = conversation.contact
    claims = (each.get(ID_ATTRIBUTE) for each in (conversation.attributes, who.attributes))
    signed = 1 if conversation.signed else None
    said = (who.id, who.email, who.phone, who.identifier, *claims, signed)
    return "\t".join("" if each is None else str(each) for each in said)


def read_keys(contact: Contact) -> Keys:
    """What the contact shows now, in the form in which the passes learned it."""
    email = (contact.email or "").strip().lower()
    return Keys(email or None, normalize_phone(contact.phone), contact.identifier)


def prove_keys(conversation: Conversation, sources: Collection[str] = ()) -> dict[str, str]:
    """The keys that the channel proves, with their values.

    `sources`: the addresses by which this contact is known in this inbox. A contact that took over
    another's conversations (by a merge, which a visitor can bring about) shows more of them, or
    another one than its e-mail or phone: then nothing is proven.
    """
    keys = vars(read_keys(conversation.contact))
    names = PROVES.get(conversation.channel, frozenset())
    found = {name: keys[name] for name in names if keys[name]}
    if conversation.channel not in NAMELESS:
        found = {name: value for name, value in found.items() if _all_equal(value, sources)}
    # `hmac_verified`: the website signs the identifier alone (Chatwoot's `valid_hmac?`); who has a
    # signature of their own can send any e-mail with it, unless the e-mail is the identifier.
    if conversation.signed and keys["identifier"]:
        found["identifier"] = keys["identifier"]
        if keys["email"] == keys["identifier"].lower():
            found["email"] = keys["email"]
    return found


def _all_equal(value: str, sources: Collection[str]) -> bool:
    return all(_normalize_source(each) == value for each in sources)


def _normalize_source(source: str) -> str:
    """WhatsApp names a phone by its digits alone, Twilio as `whatsapp:+5561…`."""
    bare = source.lower().removeprefix("whatsapp:").removeprefix("+")
    return (normalize_phone(f"+{bare}") or bare) if bare.isdecimal() else bare


def identify(
    conversation: Conversation,
    links: list[Link],
    matches: Collection[Match] = (),
    sources: Collection[str] = (),
) -> Identification:
    """`matches`: who knows the contact's keys; `sources`: see `proved`."""
    # An identifier that nobody signed is a claim, whoever knows it.
    matches = [each for each in matches if each.key != "identifier" or conversation.signed]
    look = _Evidence(conversation, matches, prove_keys(conversation, sources))
    # The newest word is the one that is shown, and that an undo takes back.
    refused = {link.organization: link for link in reversed(links) if link.state == REFUSED}
    # A pick for this very conversation outweighs an older "no" for the contact.
    here = [link for link in links if link.scope == CONVERSATION and link.state == PICKED]
    usable = [link for link in links if link.organization not in refused]
    candidates = [look.judge_pick(link) for link in here or _filter_state(usable, PICKED)]
    if not candidates:
        stored = [
            look.judge_match(link.organization, link.rests_on) for link in _filter_matches(usable)
        ]
        known = [each.organization for each in matches if each.organization not in refused]
        matched = [*stored, *(look.judge_match(each) for each in known)]
        candidates = [each for each in matched if each.trust == "proven"] or matched
        if not stored and not _any_proven(matched):
            candidates = [*matched, *_read_claims(conversation, set(refused))]
    return Identification(_deduplicate(candidates), tuple(refused.values()))


def _any_proven(candidates: Iterable[Candidate]) -> bool:
    return any(each.trust == "proven" for each in candidates)


def _filter_state(links: Iterable[Link], state: str) -> list[Link]:
    return [link for link in links if link.state == state]


def _filter_matches(links: list[Link]) -> list[Link]:
    """Of contacts alone: that of a conversation only notes what we wrote there."""
    return [link for link in _filter_state(links, MATCHED) if link.scope != CONVERSATION]


@dataclass(frozen=True)
class _Evidence:
    """What is known at this opening; `proved` by the channel, name and value."""

    conversation: Conversation
    matches: Collection[Match]
    proved: dict[str, str]

    def judge_pick(self, link: Link) -> Candidate:
        here = link.scope == CONVERSATION
        proven = self._is_same_contact(link) if here else self._is_same_person(link)
        trust = "proven" if proven else "unproven"
        return Candidate(link.organization, PICKED, link.scope, trust, link.agent, link.at)

    def judge_match(self, organization: int, rests_on: str = "") -> Candidate:
        """By the best key that the organization knows now: one that is proven, or the stored."""
        known = {each.key: each for each in self.matches if each.organization == organization}
        key = next((key for key in known if key in self.proved), "")
        trust = "proven" if key else "unproven"
        key = key or (rests_on if rests_on in known else next(iter(known), ""))
        if not key:  # the contact shows another key than when the pass found it
            return Candidate(organization, MATCHED, rests_on, trust)
        return Candidate(
            organization,
            MATCHED,
            source=key,
            trust=trust,
            value=getattr(read_keys(self.conversation.contact), key),
            role=known[key].role,
            fits=len({each.organization for each in self.matches if each.key == key}),
        )

    def _is_same_contact(self, link: Link) -> bool:
        return link.contact in (0, self.conversation.contact.id)

    def _is_same_person(self, link: Link) -> bool:
        return any(getattr(link, key) == value for key, value in self.proved.items())


def _read_claims(conversation: Conversation, refused: set[int]) -> tuple[Candidate, ...]:
    contact = conversation.contact
    sources = (
        (
            "conversation attribute",
            _parse_numbers(conversation.attributes.get(ID_ATTRIBUTE)),
        ),
        ("contact attribute", _parse_numbers(contact.attributes.get(ID_ATTRIBUTE))),
        ("identifier", IDENTIFIER.fullmatch(contact.identifier or "")),
    )
    for source, found in sources:
        numbers = [int(found[1])] if isinstance(found, re.Match) else found or []
        usable = [number for number in numbers if number not in refused]
        if usable:
            claims = (Candidate(number, CLAIMED, source, "unproven") for number in usable)
            return _deduplicate(claims)
    return ()


def _parse_numbers(value: object) -> list[int]:
    """`42`, `"42"` or `"42,45"`; anything else claims nothing."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    parts = [part.strip() for part in text.split(",")]
    return [int(part) for part in parts if re.fullmatch(r"[1-9][0-9]{0,17}", part)]


def _deduplicate(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    first: dict[int, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.organization, candidate)
    return tuple(first.values())[:MOST_CANDIDATES]
