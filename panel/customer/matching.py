"""Matching a conversation to organizations: the candidates, the evidence for each, and the trust.

Our own links come first. An id in Chatwoot's attributes is a *claim*, and is shown as claimed: a
website visitor can write those attributes (docs/upstream.md). Last come the organizations that know
the contact's e-mail or phone. Where the channel proves that key, they come before every claim.

The table of trust. A channel proves a phone, and never anything else, if all of this holds:

    the channel     is one of `PHONE_CHANNELS`, which are addressed by the phone itself
    its sources     Chatwoot names at least one for this contact in this inbox, and each *is* the
                    phone that the contact shows, in whatever spelling (a merge, which a visitor can
                    bring about, leaves several, or another one)
    the number      is written plainly, valid, and no landline (`phones.is_personal_phone`), by the
                    contact, by the channel and by the back office
    its owner       is one person, over all organizations that we know (`Match.people`)

An e-mail inbox takes its contact from `Reply-To`, which anybody writes; `hmac_verified` outlives a
merge into another contact; Telegram tells no phone; an `identifier` is written by visitors. All
four prove nothing (docs/upstream.md). An agent's pick decides the company, not who is writing.

Where the channel proves nothing, an agent may verify the person (`customer.verification`): by an
answer that `PANEL_VERIFY_BY` names, or by a call. A verification opens the same values as a proven
phone. An agent's word that they know the person opens them too, but proves nothing: no pick is
written into Chatwoot because of it.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from panel.data.directory import Keys, Match
from panel.data.links import CONVERSATION, MATCHED, PICKED, REFUSED, Link
from panel.data.verifications import BY_ACQUAINTANCE, Verification
from panel.models.phones import is_personal_phone, list_spellings, normalize_phone
from panel.models.text import clean, normalize_email
from panel.upstream.chatwoot import (
    ID_ATTRIBUTE,
    LONGEST_NAME,
    NAME_ATTRIBUTE,
    Contact,
    Conversation,
)

CLAIMED = "claimed"
PROVEN, UNPROVEN = "proven", "unproven"
MOST_CANDIDATES = 10
PHONE = "phone"  # the one key that a channel can prove
PHONE_CHANNELS = frozenset({"Channel::Whatsapp", "Channel::Sms", "Channel::TwilioSms"})
# Channels write the number in two ways: WhatsApp as digits alone, Twilio as `whatsapp:+5561…`.
SOURCE = re.compile(r"(?:whatsapp:)?\+?([1-9][0-9]{6,14})")


@dataclass(frozen=True)
class Candidate:
    """An organization that the conversation may belong to.

    `link`: picked, matched or claimed; `source`: where the link comes from; `agent`, `at`: who
    picked it, and when. For a match, `value` is the key, `fits` the number of organizations that
    know it. `role`: of the person there who has the contact's key; `lacks`: the subjects for which
    they have no rights; both empty where there is no such person. `verified`: the kind of
    verification that opened it, where the channel proves nothing; `hints`: other facts that the
    person knew.
    """

    organization: int
    link: str
    source: str
    trust: str
    agent: int | None = None
    at: float | None = None
    value: str = ""
    role: str = ""
    lacks: tuple[str, ...] = ()
    fits: int = 0
    verified: Verification | None = None
    hints: tuple[Verification, ...] = ()


@dataclass(frozen=True)
class Identification:
    """`candidates`: of the first source that has any; `refused`: the organizations that agents
    refused here.

    `proven`: every organization that knows the proven key, or to which the person has shown that
    they belong, even one that is not shown.
    """

    candidates: tuple[Candidate, ...]
    refused: tuple[Link, ...] = ()
    proven: frozenset[int] = frozenset()

    def get(self, organization: int) -> Candidate | None:
        fitting = [row for row in self.candidates if row.organization == organization]
        return fitting[0] if fitting else None


def find_claimed_name(conversation: Conversation, organization: int, is_only: bool) -> str:
    """Return Chatwoot's name of a company that has not been read yet; a visitor can write this
    name.

    The name beside this company's id counts. Otherwise it is the name that agents typed for the
    contact, where the company is the only candidate (`is_only`).
    """
    contact = conversation.contact
    for attributes in (conversation.attributes, contact.attributes):
        name = attributes.get(NAME_ATTRIBUTE)
        if _parse_numbers(attributes.get(ID_ATTRIBUTE)) == [organization] and isinstance(name, str):
            return clean(name)[:LONGEST_NAME]
    return contact.company[:LONGEST_NAME] if is_only else ""


def describe_customer(conversation: Conversation) -> str:
    """Return all values that decide here who the customer is; `static/js/context.js` writes the
    same from the dashboard's data.

    The page's text is no evidence, for a page can send anything. But a kept copy with the same text
    is not outdated. Only texts and numbers are read: a visitor writes attributes of any shape, and
    other shapes claim nothing.
    """
    contact = conversation.contact
    claims = (
        attributes.get(ID_ATTRIBUTE) for attributes in (conversation.attributes, contact.attributes)
    )
    signed = 1 if conversation.signed else None
    values = (contact.id, contact.email, contact.phone, contact.identifier, *claims, signed)
    return "\t".join(str(value) if _is_plain(value) else "" for value in values)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | Decimal) and not isinstance(value, bool)


def read_keys(contact: Contact) -> Keys:
    """Return the keys that the contact shows now, in the form in which the passes store them."""
    return Keys(normalize_email(contact.email), normalize_phone(contact.phone))


def prove_phone(conversation: Conversation, sources: Collection[str]) -> str | None:
    """Return the phone that the channel proves, in E.164.

    `sources`: the addresses by which this contact is known in this inbox; without any, no phone is
    proven.
    """
    contact_phone = conversation.contact.phone or ""
    if conversation.channel not in PHONE_CHANNELS or not is_personal_phone(contact_phone):
        return None
    phone = normalize_phone(contact_phone) or ""
    spellings = list_spellings(phone)
    are_it = [_read_source(source) in spellings for source in sources]
    return phone if are_it and all(are_it) else None


def _read_source(source: str) -> str | None:
    match = SOURCE.fullmatch(source)
    phone = f"+{match[1]}" if match else ""
    return normalize_phone(phone) if is_personal_phone(phone) else None


def identify(
    conversation: Conversation,
    links: list[Link],
    matches: Collection[Match] = (),
    sources: Collection[str] = (),
    verifications: Collection[Verification] = (),
) -> Identification:
    """`matches`: people with the contact's keys; `sources`: see `prove_phone`."""
    look = _Evidence(conversation, matches, _find_proven(conversation, matches, sources))
    # The newest refusal is the one that is shown, and that an undo takes back.
    refusals = {link.organization: link for link in reversed(links) if link.state == REFUSED}
    # A pick for this very conversation outweighs an older "no" for the contact.
    picks = [link for link in links if link.scope == CONVERSATION and link.state == PICKED]
    usable = [link for link in links if link.organization not in refusals]
    candidates = [look.judge_pick(link) for link in picks or _filter_state(usable, PICKED)]
    if not candidates:
        stored_matches = [
            look.judge_match(link.organization, link.rests_on) for link in _filter_matches(usable)
        ]
        organizations = [
            match.organization for match in matches if match.organization not in refusals
        ]
        possible = [*stored_matches, *(look.judge_match(number) for number in organizations)]
        candidates = [candidate for candidate in possible if candidate.trust == PROVEN] or possible
        if not stored_matches and not _any_proven(possible):
            candidates = [*possible, *_read_claims(conversation, set(refusals))]
    annotated = [_add_verifications(row, verifications) for row in _deduplicate(candidates)]
    verified = {row.organization for row in verifications if row.opens and _is_shown(row)}
    return Identification(tuple(annotated), tuple(refusals.values()), look.proven | verified)


def _is_shown(verification: Verification) -> bool:
    """Tell whether the person gave the evidence, and not an agent their word."""
    return verification.kind != BY_ACQUAINTANCE


def _add_verifications(candidate: Candidate, verifications: Collection[Verification]) -> Candidate:
    """Add the verifications last: they do not decide which candidates there are."""
    about = [row for row in verifications if row.organization == candidate.organization]
    hints = tuple(row for row in about if not row.opens)
    opening = sorted((row for row in about if row.opens), key=_is_shown, reverse=True)
    if candidate.trust == PROVEN or not opening:
        return replace(candidate, hints=hints)
    return replace(candidate, trust=PROVEN, verified=opening[0], hints=hints)


def _find_proven(
    conversation: Conversation, matches: Collection[Match], sources: Collection[str]
) -> frozenset[int]:
    """Return the organizations that know the proven phone, if it belongs to one person."""
    if not prove_phone(conversation, sources):
        return frozenset()
    return frozenset(
        match.organization for match in matches if match.key == PHONE and match.people == 1
    )


def _any_proven(candidates: Iterable[Candidate]) -> bool:
    return any(candidate.trust == PROVEN for candidate in candidates)


def _filter_state(links: Iterable[Link], state: str) -> list[Link]:
    return [link for link in links if link.state == state]


def _filter_matches(links: list[Link]) -> list[Link]:
    """Keep the matches of contacts: a match of a conversation only records our own writing there.
    An earlier version matched contacts by their `identifier`, which is no evidence: those are left
    out."""
    matches = [link for link in _filter_state(links, MATCHED) if link.scope != CONVERSATION]
    return [link for link in matches if link.rests_on != "identifier"]


@dataclass(frozen=True)
class _Evidence:
    """The evidence at this opening; `proven`: see `Identification`."""

    conversation: Conversation
    matches: Collection[Match]
    proven: frozenset[int]

    def judge_pick(self, link: Link) -> Candidate:
        """The agent decides which company this is; only the channel decides who is writing."""
        trust = self._judge(link.organization)
        matches = [match for match in self.matches if match.organization == link.organization]
        candidate = Candidate(link.organization, PICKED, link.scope, trust, link.agent, link.at)
        return _add_person(candidate, matches[0]) if matches else candidate

    def judge_match(self, organization: int, rests_on: str = "") -> Candidate:
        """Judge by the organization's best present key: the proven one, else the stored one."""
        keys = {match.key: match for match in self.matches if match.organization == organization}
        trust = self._judge(organization)
        key = PHONE if trust == PROVEN else rests_on if rests_on in keys else next(iter(keys), "")
        if not key:  # the contact shows another key than when the pass found it
            return Candidate(organization, MATCHED, rests_on, trust)
        candidate = Candidate(
            organization,
            MATCHED,
            source=key,
            trust=trust,
            value=getattr(read_keys(self.conversation.contact), key),
            fits=len({match.organization for match in self.matches if match.key == key}),
        )
        return _add_person(candidate, keys[key])

    def _judge(self, organization: int) -> str:
        return PROVEN if organization in self.proven else UNPROVEN


def _add_person(candidate: Candidate, match: Match) -> Candidate:
    lacks = tuple(filter(None, (match.lacks or "").split(",")))
    return replace(candidate, role=match.role, lacks=lacks)


def _read_claims(conversation: Conversation, refusals: set[int]) -> tuple[Candidate, ...]:
    sources = (
        ("conversation attribute", conversation.attributes),
        ("contact attribute", conversation.contact.attributes),
    )
    for source, attributes in sources:
        numbers = _parse_numbers(attributes.get(ID_ATTRIBUTE))
        usable = [number for number in numbers if number not in refusals]
        if usable:
            claims = (Candidate(number, CLAIMED, source, UNPROVEN) for number in usable)
            return _deduplicate(claims)
    return ()


def _parse_numbers(value: object) -> list[int]:
    """Read `42`, `"42"` or `"42,45"`; any other value claims nothing."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    parts = [part.strip() for part in text.split(",")]
    return [int(part) for part in parts if re.fullmatch(r"[1-9][0-9]{0,17}", part)]


def _deduplicate(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    first: dict[int, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.organization, candidate)
    return tuple(first.values())[:MOST_CANDIDATES]
