"""What an agent says about the customer: pick, refuse, undo. Our table first, then Chatwoot."""

import time

from panel import identity
from panel.access import Denied
from panel.audit import Entry
from panel.cache import Ask
from panel.chatwoot import LONGEST_NAME, Contact, Conversation
from panel.errors import GiveUp, PanelError
from panel.links import CONTACT, CONVERSATION, PICKED, REFUSED, Link
from panel.middag import ORGANIZATION
from panel.services import Services
from panel.visits import Visit

ACTIONS = ("pick", "refuse", "undo")


class Unpicked(GiveUp):
    """The organization that an agent named cannot be picked now; `code` says why."""


class Verdicts:
    """Raises `Denied`, or `PanelError` when the database is silent."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def say(self, visit: Visit, organization: int, action: str, scope: str) -> str:
        """Pick, refuse or undo: our table first, then Chatwoot's attributes.

        Returns a notice for the agent, mostly empty. Raises `Unpicked`.
        """
        if scope not in ("", CONVERSATION, CONTACT) or action not in ACTIONS:
            raise Denied("bad_request", "unknown action or scope")
        name = self._name(organization) if action == "pick" else ""
        if action == "undo":
            said = _newest(visit, organization)
            self._services.links.take_back(said)
        else:
            said = _said(visit, organization, PICKED if action == "pick" else REFUSED, scope)
            for link in said:
                self._services.links.put(link)
        note = CONTACT if any(link.scope == CONTACT for link in said) else CONVERSATION
        number = visit.conversation.id
        self._services.audit.note(
            Entry(action, visit.agent.id, number, organization, visit.seal.proof, note=note)
        )
        try:
            self._tell_conversation(visit.conversation, organization, name)
            if note == CONTACT:
                self._tell_contact(visit.conversation.contact, organization, name)
        except PanelError:
            return "chatwoot_not_told"
        return ""

    def _name(self, organization: int) -> str:
        """Only an organization that the back office knows can be picked."""
        try:
            found = self._services.office.read(ORGANIZATION, organization, Ask.GLANCE)
        except PanelError as error:
            raise Unpicked(error.code, error.detail) from error
        return found.value.name[:LONGEST_NAME]

    def _tell_conversation(self, conversation: Conversation, organization: int, name: str) -> None:
        """A pick is written; with no name, our keys go if they name this organization."""
        named = str(conversation.attributes.get(identity.ATTRIBUTE, ""))
        if not name and named != str(organization):
            return
        values = {
            identity.ATTRIBUTE: str(organization) if name else None,
            identity.NAME_ATTRIBUTE: name or None,
        }
        self._services.chatwoot.change_conversation(conversation.id, values)

    def _tell_contact(self, contact: Contact, organization: int, name: str) -> None:
        """The same for the contact, beside the organizations that the passes seated it in."""
        said = self._services.links.of(0, contact.id)
        refused = {link.organization for link in said if link.state == REFUSED}
        picked = {link.organization for link in said if link.state == PICKED}
        seats = {known.id for known, _ in self._services.directory.seats_of(contact.id)}
        right = sorted((seats - refused) | picked)
        known = self._services.directory.named(right)
        names = {number: each.name for number, each in known.items()} | {organization: name}
        values = {
            identity.ATTRIBUTE: ",".join(map(str, right)),
            identity.NAME_ATTRIBUTE: ", ".join(filter(None, map(names.get, right))),
        }
        if right:
            self._services.chatwoot.update_contact(contact.id, {"custom_attributes": values})
        elif str(contact.attributes.get(identity.ATTRIBUTE, "")) == str(organization):
            self._services.chatwoot.clear_contact(contact.id, list(values))


def _said(visit: Visit, organization: int, state: str, scope: str) -> list[Link]:
    """What is said now: of the conversation always, of the contact if that was meant."""
    contact = visit.conversation.contact
    subjects = {CONVERSATION: visit.conversation.id}
    if scope == CONTACT:
        subjects[CONTACT] = contact.id
    keys = vars(identity.keys_of(contact))
    now = time.time()
    return [
        Link(where, subject, organization, state, "", visit.agent.id, now, contact.id, **keys)
        for where, subject in subjects.items()
    ]


def _newest(visit: Visit, organization: int) -> list[Link]:
    """What `undo` takes back: the pick that is shown, else the refusal, and its twin of the same
    moment. What was said before stands again."""
    shown = visit.found.get(organization)
    state = PICKED if shown and shown.link == PICKED else REFUSED
    said = [
        each for each in visit.links if (each.organization, each.state) == (organization, state)
    ]
    here = [each for each in said if each.scope == CONVERSATION] or said
    return [each for each in said if each.at == here[0].at]
