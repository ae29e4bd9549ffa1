"""A visit: a proven agent before a conversation, what we found there, and what the agent says.

What the page sends are hints: ids to look up in Chatwoot, never evidence.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from panel import identity
from panel.access import Denied, Seal
from panel.audit import Entry
from panel.cache import Ask
from panel.chatwoot import Agent, Conversation
from panel.errors import GiveUp, Missing, PanelError
from panel.identity import Found
from panel.links import CONTACT, CONVERSATION, PICKED, REFUSED, Link
from panel.middag import ORGANIZATION
from panel.services import Services

LONGEST_EMAIL = 254
ACTIONS = ("pick", "refuse", "undo")


@dataclass(frozen=True)
class Hints:
    """`organization` 0: none chosen yet."""

    conversation: int
    contact: int
    account: int
    agent_id: int
    agent_email: str = ""
    organization: int = 0

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> "Hints":
        """Raises `Denied("bad_request")`."""
        email = form.get("agent_email", "").strip().lower()
        if len(email) > LONGEST_EMAIL:
            raise Denied("bad_request", "agent_email is too long")
        return cls(
            conversation=number_in(form, "conversation"),
            contact=number_in(form, "contact"),
            account=number_in(form, "account"),
            agent_id=number_in(form, "agent_id"),
            agent_email=email,
            organization=number_in(form, "organization", otherwise="0"),
        )


def number_in(form: Mapping[str, str], name: str, otherwise: str = "") -> int:
    """A positive whole number, or `otherwise` where the field is missing."""
    text = form.get(name) or otherwise
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) or (int(text) < 1 and not otherwise):
        raise Denied("bad_request", f"{name} should be a whole number")
    return int(text)


@dataclass(frozen=True)
class Visit:
    seal: Seal
    agent: Agent
    conversation: Conversation
    found: Found


class Unpicked(GiveUp):
    """The organization that an agent named cannot be picked now; `code` says why."""


class Visits:
    """Every method raises `Denied`, or `PanelError` when Chatwoot or the database is silent."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def arrive(self, hints: Hints, proof: str) -> Visit:
        """Ask Chatwoot whether that conversation holds that contact, and who that agent is."""
        account = self._services.settings.chatwoot_account_id
        if hints.account != account:
            raise Denied("another_account")
        seal = Seal(hints.agent_id, proof, account, hints.conversation, hints.contact)
        visit = self.again(seal)
        if hints.agent_email and hints.agent_email != visit.agent.email:
            raise Denied("not_an_agent")
        return visit

    def again(self, seal: Seal) -> Visit:
        """The same agent before the same conversation, asked anew."""
        try:
            conversation = self._services.chatwoot.conversation(seal.conversation)
        except Missing:
            raise Denied("no_such_conversation") from None
        if conversation.contact.id != seal.contact:
            raise Denied("another_contact")
        agent = self._services.access.admit(seal.agent, conversation)
        links = self._services.links.of(conversation.id, conversation.contact.id)
        return Visit(seal, agent, conversation, identity.identify(conversation, links))

    def say(self, visit: Visit, organization: int, action: str, scope: str) -> str:
        """Pick, refuse or undo: our table first, then the conversation's attributes in Chatwoot.

        Returns a notice for the agent, mostly empty. Raises `Unpicked`.
        """
        if scope not in ("", CONVERSATION, CONTACT) or action not in ACTIONS:
            raise Denied("bad_request", "unknown action or scope")
        number, person = visit.conversation.id, visit.conversation.contact.id
        name = self._name(organization) if action == "pick" else ""
        if action == "undo":
            self._services.links.remove(number, person, organization)
        else:
            state = PICKED if action == "pick" else REFUSED
            subjects = {CONVERSATION: number} | ({CONTACT: person} if scope == CONTACT else {})
            for where, subject in subjects.items():
                link = Link(where, subject, organization, state, agent=visit.agent.id)
                self._services.links.put(link)
        self._services.audit.note(
            Entry(action, visit.agent.id, number, organization, visit.seal.proof, note=scope)
        )
        try:
            self._tell_chatwoot(visit.conversation, organization, name)
        except PanelError:
            return "chatwoot_not_told"
        return ""

    def _name(self, organization: int) -> str:
        """Only an organization that the back office knows can be picked."""
        try:
            return self._services.office.read(ORGANIZATION, organization, Ask.GLANCE).value.name
        except PanelError as error:
            raise Unpicked(error.code, error.detail) from error

    def _tell_chatwoot(self, conversation: Conversation, organization: int, name: str) -> None:
        """A pick is written; with no name, our keys go if they name this organization."""
        named = str(conversation.attributes.get(identity.ATTRIBUTE, ""))
        if not name and named != str(organization):
            return
        values = {
            identity.ATTRIBUTE: str(organization) if name else None,
            identity.NAME_ATTRIBUTE: name or None,
        }
        self._services.chatwoot.change_conversation(conversation.id, values)
