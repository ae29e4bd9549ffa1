"""The customer of a conversation, as an opening would find them, with the steps to it.

The database is only read: not even a merge of contacts is noted.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from panel.auth.access import Denied
from panel.customer import matching
from panel.customer.lookup import filter_holding
from panel.customer.matching import (
    CLAIMED,
    PHONE,
    PHONE_CHANNELS,
    PROVEN,
    Candidate,
    Identification,
)
from panel.data.links import CONTACT, CONVERSATION, Link
from panel.data.matches import Match
from panel.errors import PanelError
from panel.models.phones import is_personal_phone
from panel.services import Services
from panel.upstream.chatwoot import ID_ATTRIBUTE, Conversation

SHOWN_OF_KEY = 2  # characters at its beginning, and of a phone at its end too
LONGEST_CLAIM = 60  # a visitor writes it


@dataclass(frozen=True)
class KeyTried:
    """A key that the contact shows. `value`: its beginning; `organizations`: those that know the
    key; `people`: the number of persons who have it, over all organizations."""

    key: str
    value: str
    organizations: tuple[int, ...] = ()
    people: int = 0


@dataclass(frozen=True)
class LinkFound:
    """A link of this conversation or contact. `agent` None: a pass matched it."""

    scope: str
    subject: int
    organization: int
    state: str
    rests_on: str
    agent: int | None
    at: float


@dataclass(frozen=True)
class Customer:
    """An organization that would be shown; `why`: the reason of its trust."""

    organization: int
    link: str
    source: str
    trust: str
    why: str


@dataclass(frozen=True)
class Identity:
    """`claims`: the places where Chatwoot's attributes name an organization, with the values."""

    conversation: int
    inbox: int
    channel: str
    contact: int
    agent: str
    keys: tuple[KeyTried, ...]
    claims: tuple[tuple[str, str], ...]
    links: tuple[LinkFound, ...]
    customers: tuple[Customer, ...]
    refused: tuple[int, ...]


def identify(shared: Services, number: int, agent: int = 0) -> Identity:
    """Raises `PanelError` when Chatwoot or the database cannot be asked; `Missing`: there is no
    such conversation. `agent`: whether this one may look."""
    conversation = shared.chatwoot.conversation(number)
    contact = conversation.contact
    keys = matching.read_keys(contact)
    links = shared.links.find(conversation.id, contact.id)
    matches = shared.directory.find_matches(keys)
    sources = _read_sources(shared, conversation)
    verifications = shared.verifications.find(conversation.id)
    verifications = filter_holding(shared, conversation, verifications)
    identification = matching.identify(conversation, links, matches, sources, verifications)
    doubt = find_doubt(conversation, sources, matches)
    return Identity(
        conversation.id,
        conversation.inbox,
        conversation.channel,
        contact.id,
        _judge_agent(shared, agent, conversation) if agent else "",
        tuple(_list_keys(keys.list_values(), matches)),
        tuple(_list_claims(conversation)),
        tuple(_describe_link(row) for row in links),
        tuple(_describe_customer(row, doubt, identification) for row in identification.candidates),
        tuple(row.organization for row in identification.refused),
    )


def _read_sources(shared: Services, conversation: Conversation) -> frozenset[str]:
    if conversation.channel not in PHONE_CHANNELS:
        return frozenset()
    return shared.chatwoot.sources(conversation.contact.id, conversation.inbox)


def _judge_agent(shared: Services, agent: int, conversation: Conversation) -> str:
    try:
        row = shared.access.admit(agent, conversation)
    except Denied as denial:
        return f"agent {agent} may not look: {denial.code}"
    return f"agent {agent} may look ({row.role})"


def _list_keys(values: dict[str, tuple[str, ...]], matches: Collection[Match]) -> list[KeyTried]:
    return [
        KeyTried(
            key,
            mask_key(spellings[0]),
            tuple(sorted({match.organization for match in matches if match.key == key})),
            max((match.people for match in matches if match.key == key), default=0),
        )
        for key, spellings in values.items()
    ]


def mask_key(value: str) -> str:
    """Return the ends of an e-mail or phone: enough to recognize it beside the chat, too little to
    write to it."""
    name, at, domain = value.partition("@")
    if at:
        return f"{name[:SHOWN_OF_KEY]}…@{domain}"
    return f"{value[: SHOWN_OF_KEY + 1]}…{value[-SHOWN_OF_KEY:]}"


def _list_claims(conversation: Conversation) -> list[tuple[str, str]]:
    places = (
        ("conversation attribute", conversation.attributes),
        ("contact attribute", conversation.contact.attributes),
    )
    claims = [
        (where, str(attributes[ID_ATTRIBUTE]))
        for where, attributes in places
        if ID_ATTRIBUTE in attributes
    ]
    return [(where, value[:LONGEST_CLAIM]) for where, value in claims if value]


def _describe_link(link: Link) -> LinkFound:
    of_key = (link.scope, link.subject, link.organization)
    return LinkFound(*of_key, link.state, link.rests_on, link.agent, link.at)


def _describe_customer(
    candidate: Candidate, doubt: str, identification: Identification
) -> Customer:
    if verification := candidate.verified:
        opening = f"agent {verification.agent} opened it for this conversation"
        why = f"{opening}: {verification.kind}"
    elif candidate.trust == PROVEN:
        by_phone = "its phone is that of one person there, and the channel is addressed by it"
        why = (
            by_phone
            if candidate.organization in identification.proven
            else "its customer has proven it"
        )
    else:
        why = f"a visitor can write this attribute. {doubt}" if candidate.link == CLAIMED else doubt
    return Customer(candidate.organization, candidate.link, candidate.source, candidate.trust, why)


def find_doubt(
    conversation: Conversation, sources: Collection[str], matches: Sequence[Match]
) -> str:
    """Return the reason why the writer is not proven: the first condition of trust that fails."""
    owners = [match.people for match in matches if match.key == PHONE]
    phone = conversation.contact.phone or ""
    conditions = {
        f"The channel {conversation.channel or 'of this inbox'} proves nobody": (
            conversation.channel in PHONE_CHANNELS
        ),
        "The contact shows no phone that is one person's": is_personal_phone(phone),
        "Chatwoot names no address by which this inbox knows the contact": sources,
        "The inbox knows the contact by another number than the one that it shows": (
            matching.prove_phone(conversation, sources)
        ),
        "Nobody in the directory has this phone": owners,
        "Several people have this phone": max(owners, default=1) == 1,
    }
    reasons = (words for words, holds in conditions.items() if not holds)
    return next(reasons, "Another organization knows this phone")


def describe_scope(link: LinkFound) -> str:
    """Return such as `conversation 101` or `contact 301`."""
    names = {CONVERSATION: "conversation", CONTACT: "contact"}
    return f"{names.get(link.scope, link.scope)} {link.subject}"


def describe_failure(error: PanelError) -> str:
    """Return the side that failed, with the error's code."""
    return f"{error.side or 'Our own database'}: {error.code}" + (
        f" ({error.detail})" if error.detail else ""
    )
