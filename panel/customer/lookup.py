"""The look-up of a conversation: checks that a proven agent may see it, and finds its customer.

The page sends only hints: ids to look up in Chatwoot, never evidence.
"""

import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from panel.auth.access import Denied
from panel.auth.seal import Seal
from panel.auth.verification_checks import digest_present_keys, find_departed
from panel.customer import matching
from panel.customer.matching import Identification
from panel.data.links import CONTACT, CONVERSATION, PICKED, Link
from panel.data.verifications import Verification
from panel.errors import Missing, PanelError, Unreachable
from panel.models.text import normalize_email
from panel.services import Services
from panel.upstream.chatwoot import RESOLVED, Agent, Conversation

LONGEST_EMAIL = 254


@dataclass(frozen=True)
class Hints:
    """`organization` 0: none chosen yet; `customer`: see `matching.describe_customer`."""

    conversation: int
    contact: int
    account: int
    agent_id: int
    agent_email: str = ""
    organization: int = 0
    customer: str = ""

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> "Hints":
        """Raises `Denied("bad_request")`."""
        email = normalize_email(form.get("agent_email")) or ""
        if len(email) > LONGEST_EMAIL:
            raise Denied("bad_request", "agent_email is too long")
        return cls(
            conversation=parse_number(form, "conversation"),
            contact=parse_number(form, "contact"),
            account=parse_number(form, "account"),
            agent_id=parse_number(form, "agent_id"),
            agent_email=email,
            organization=parse_number(form, "organization", otherwise="0"),
            customer=form.get("customer", ""),
        )


def parse_number(form: Mapping[str, str], name: str, otherwise: str = "") -> int:
    """Return a positive whole number, or `otherwise` where the field is missing."""
    text = form.get(name) or otherwise
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) or (int(text) < 1 and not otherwise):
        raise Denied("bad_request", f"{name} should be a whole number")
    return int(text)


@dataclass(frozen=True)
class Visit:
    """`links_known` False: our table could not be read, so the candidates are claims alone.

    `access_checked` False: Chatwoot was too slow to confirm that the agent may see this.
    """

    seal: Seal
    agent: Agent
    conversation: Conversation
    found: Identification
    links_known: bool = True
    links: tuple[Link, ...] = ()
    access_checked: bool = True

    def is_contact_picked(self, organization: int) -> bool:
        """Tell whether an agent picked the organization for the contact, and not for this
        conversation alone."""
        states = ((link.scope, link.organization, link.state) for link in self.links)
        return (CONTACT, organization, PICKED) in states


class Lookup:
    """Its methods raise `Denied`, or `PanelError` when Chatwoot or the database is silent."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def look_up(self, hints: Hints, proof: str, generation: int) -> Visit:
        """Check with Chatwoot that the conversation has that contact and the agent may see it.

        `generation`: of the agent; the seals of this visit carry it.
        """
        account = self._services.settings.chatwoot_account_id
        if hints.account != account:
            raise Denied("another_account")
        seal = Seal(
            hints.agent_id,
            proof,
            account,
            hints.conversation,
            hints.contact,
            generation=generation,
        )
        visit = self.repeat(seal, hints.customer)
        if hints.agent_email and hints.agent_email != visit.agent.email:
            raise Denied("not_an_agent")
        return visit

    def repeat(self, seal: Seal, customer: str = "") -> Visit:
        """Check the same agent and the same conversation once more.

        A kept copy of the conversation is enough where it agrees with the dashboard (`customer`).
        The visit starts without uncovered values: an uncovering is for one organization and one
        reason. The trust is judged anew.
        """
        seal = replace(seal, uncovered=(), trust=matching.UNPROVEN, verification="")
        try:
            conversation = self._read_conversation(seal.conversation, customer)
        except Missing:
            raise Denied("no_such_conversation") from None
        if conversation.contact.id != seal.contact:
            if not self._is_merged(conversation, seal.contact):
                raise Denied("another_contact")
            seal = replace(seal, contact=conversation.contact.id)
        agent, is_checked = self._services.access.admit_in_time(seal.agent, conversation)
        visit = Visit(seal, agent, conversation, Identification(()), access_checked=is_checked)
        return self._identify(visit)

    def _read_conversation(self, number: int, customer: str) -> Conversation:
        copy = customer and self._services.chatwoot.peek_conversation(number)
        if copy and matching.describe_customer(copy) == customer:
            return copy
        return self._services.chatwoot.conversation(number)

    def _identify(self, visit: Visit) -> Visit:
        """Without the database only claims are known; without claims too, the visit fails."""
        conversation = visit.conversation
        try:
            links = self._find_links(conversation)
            verifications = self._find_verifications(conversation)
            matches = self._services.directory.find_matches(
                matching.read_keys(conversation.contact)
            )
        except Unreachable:
            claims = matching.identify(conversation, [])
            if not claims.candidates:  # the panel must not say that no company is linked
                raise
            return replace(visit, found=claims, links_known=False)
        by_phone = any(match.key == matching.PHONE for match in matches)
        sources = self._read_sources(conversation) if by_phone else frozenset()
        identification = matching.identify(conversation, links, matches, sources, verifications)
        return replace(visit, found=identification, links=tuple(links))

    def _read_sources(self, conversation: Conversation) -> frozenset[str]:
        """Read the addresses of the contact in this channel, where these can prove anything."""
        if conversation.channel not in matching.PHONE_CHANNELS:
            return frozenset()
        try:
            return self._services.chatwoot.sources(conversation.contact.id, conversation.inbox)
        except PanelError:
            return frozenset()  # without the addresses, the channel proves nothing

    def _find_verifications(self, conversation: Conversation) -> list[Verification]:
        """Return the verifications of this contact with its present keys, not resolved since."""
        verifications = self._services.verifications
        rows = verifications.find(conversation.id)
        if not rows:
            return []
        try:
            valid = filter_holding(self._services, conversation, rows)
            departed = find_departed(self._services.chatwoot, rows)
        except PanelError:
            return []  # it is unknown whether this is still the same person
        if departed:
            verifications.end_words(conversation.id, departed)
        elif len(valid) < len(rows):
            verifications.end(conversation.id)
        return valid

    # -- contacts that Chatwoot merged ---------------------------------------------------------

    def _find_links(self, conversation: Conversation) -> list[Link]:
        """Return the contact's links; those of a contact merged into it have followed it."""
        links, present = self._services.links, conversation.contact.id
        rows = links.find(conversation.id, present)
        said_of = {link.contact for link in rows if link.scope == CONVERSATION} - {0, present}
        merged_contacts = [contact for contact in said_of if self._is_gone(contact)]
        for old in merged_contacts:
            links.follow_merge(old, present)
        return links.find(conversation.id, present) if merged_contacts else rows

    def _is_merged(self, conversation: Conversation, contact: int) -> bool:
        """Tell whether the contact was merged into another. Only a contact that we knew in this
        conversation counts: otherwise any unused id would look like a merged contact."""
        rows = self._services.links.find(conversation.id, 0)
        return any(link.contact == contact for link in rows) and self._is_gone(contact)

    def _is_gone(self, contact: int) -> bool:
        try:
            self._services.chatwoot.contact(contact)
        except Missing:
            return True
        return False


def filter_holding(
    services: Services, conversation: Conversation, verifications: Collection[Verification]
) -> list[Verification]:
    """Return the verifications of this conversation that are still valid; raises `PanelError`."""
    if not verifications or conversation.status == RESOLVED:
        return []
    chatwoot = services.chatwoot
    digest = digest_present_keys(services.settings.secret, chatwoot, conversation.contact)
    departed = find_departed(chatwoot, verifications)
    same = [row for row in verifications if hmac.compare_digest(row.digest, digest)]
    return [row for row in same if row.witness not in departed]
