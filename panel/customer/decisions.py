"""An agent's decisions about the customer: pick, refuse, undo. A decision is written into our
tables first, then into Chatwoot."""

import time
from collections.abc import Collection
from dataclasses import replace

from panel.auth.access import Denied
from panel.cache.policy import CacheControl
from panel.customer import matching
from panel.customer.lookup import Visit
from panel.data import audit_log, links
from panel.data.audit_log import AuditEntry
from panel.data.db import transaction
from panel.data.links import BY_AGENT, CONTACT, CONVERSATION, PICKED, REFUSED, Link
from panel.errors import GiveUp, PanelError, Unreachable
from panel.services import Services
from panel.upstream.chatwoot import (
    ID_ATTRIBUTE,
    LONGEST_NAME,
    NAME_ATTRIBUTE,
    Contact,
    Conversation,
)
from panel.upstream.documents import ORGANIZATION

ACTIONS = ("pick", "refuse", "undo")
CONTACT_SECONDS = 3.0  # seconds for a contact that a pass is writing


class CannotPick(GiveUp):
    """The agent's organization cannot be picked now; `code` says why."""


class Decisions:
    """Its methods raise `Denied`, or `PanelError` when the database is silent."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def decide(
        self, visit: Visit, organization: int, action: str, scope: str, undone: str = ""
    ) -> str:
        """Pick, refuse or undo: in our tables first, then in Chatwoot's attributes.

        `undone`: the time of the decision that is undone, as the panel showed it; the newest
        decision by default. Returns a notice for the agent, mostly empty. Raises `CannotPick`.

        The visitor can read Chatwoot's attributes, so a pick is written there only where the
        conversation is proven for that organization. Otherwise a visitor who got an agent to pick a
        company, a wrong one too, would learn its name.
        """
        if scope not in ("", CONVERSATION, CONTACT) or action not in ACTIONS:
            raise Denied("bad_request", "unknown action or scope")
        name = self._fetch_name(organization) if action == "pick" else ""
        if action == "undo":
            said = _find_undone(visit, organization, undone)
        else:
            said = _make_links(visit, organization, PICKED if action == "pick" else REFUSED, scope)
        said = self._record(visit, organization, action, said)
        told = {organization: name} if any(each.disclosed for each in said) and name else {}
        gone = _find_outdated(visit, action, said) - told.keys()
        return self._tell(visit.conversation, {each.scope for each in said}, told, gone)

    def withhold(self, visit: Visit, organization: int, scopes: Collection[str]) -> str:
        """Remove from Chatwoot the values of these scopes' picks; returns a notice, too."""
        return self._tell(visit.conversation, scopes, {}, {organization})

    def _tell(
        self,
        conversation: Conversation,
        scopes: Collection[str],
        told: dict[int, str],
        gone: set[int],
    ) -> str:
        try:
            if scopes:
                self._write_conversation(conversation, told, gone)
            if CONTACT in scopes and (told or gone):
                self._write_contact(conversation.contact, told, gone)
        except PanelError:
            return "chatwoot_not_told"
        return ""

    def _record(self, visit: Visit, organization: int, action: str, said: list[Link]) -> list[Link]:
        """Store the links and their row in the access log together; returns the new links."""
        with transaction(self._services.database) as connection:
            if action == "undo":
                said = links.take_back(connection, said)
            else:
                links.write(connection, said)
            scopes = {link.scope for link in said}
            if scopes:
                who, where, how = visit.agent.id, visit.conversation.id, visit.seal.proof
                note = CONTACT if CONTACT in scopes else CONVERSATION
                audit_log.write_entry(
                    connection, AuditEntry(action, who, where, organization, how, note=note)
                )
        return said

    def _fetch_name(self, organization: int) -> str:
        """Return the name; only an organization that the back office knows can be picked."""
        try:
            found = self._services.back_office.read(
                ORGANIZATION, organization, CacheControl.STALE_WHILE_REVALIDATE
            )
        except PanelError as error:
            raise CannotPick(error.code, error.detail) from error
        return found.value.name[:LONGEST_NAME]

    def _write_conversation(
        self, conversation: Conversation, told: dict[int, str], gone: set[int]
    ) -> None:
        """`told`: id and name to write. Where it is empty, our keys are removed if they name an
        organization in `gone`."""
        named = str(conversation.attributes.get(ID_ATTRIBUTE, ""))
        values: dict[str, str | None] = {ID_ATTRIBUTE: None, NAME_ATTRIBUTE: None}
        for organization, name in told.items():
            values = {ID_ATTRIBUTE: str(organization), NAME_ATTRIBUTE: name}
        if told or named in map(str, gone):
            self._services.chatwoot.change_conversation(conversation.id, values)

    def _write_contact(self, contact: Contact, told: dict[int, str], gone: set[int]) -> None:
        """Write the same into the contact, beside the organizations of its seats."""
        # Passes hold this lock too (`sync.reconcile`): a contact has one writer at a time.
        with self._services.locks.hold(f"contact:{contact.id}", CONTACT_SECONDS) as alone:
            if not alone:
                raise Unreachable("contact_busy", "a pass writes this contact")
            names = self._list_organizations(contact, told)
            values = {
                ID_ATTRIBUTE: ",".join(map(str, names)),
                NAME_ATTRIBUTE: ", ".join(filter(None, names.values())),
            }
            if names:
                self._services.chatwoot.update_contact(contact.id, {"custom_attributes": values})
            elif str(contact.attributes.get(ID_ATTRIBUTE, "")) in map(str, gone):
                self._services.chatwoot.clear_contact(contact.id, list(values))

    def _list_organizations(self, contact: Contact, told: dict[int, str]) -> dict[int, str]:
        """Return the organizations that may stand in the contact now, ascending, with the names
        that we know; `told`: the one that was picked just now."""
        said = self._services.links.find(0, contact.id)
        refused = {link.organization for link in said if link.state == REFUSED}
        picked = {link.organization for link in said if link.state == PICKED and link.disclosed}
        seats = {known.id for known, _ in self._services.directory.memberships_of(contact.id)}
        right = sorted((seats - refused) | picked)
        known = self._services.directory.get_organizations(right)
        names = {number: known[number].name if number in known else "" for number in right}
        return names | {number: name for number, name in told.items() if number in names}


def _make_links(visit: Visit, organization: int, state: str, scope: str) -> list[Link]:
    """Return the new links: of the conversation, and of the contact if the agent meant it."""
    contact = visit.conversation.contact
    subjects = {CONVERSATION: visit.conversation.id}
    if scope == CONTACT:
        subjects[CONTACT] = contact.id
    keys = vars(matching.read_keys(contact))
    said = Link(
        CONVERSATION,
        0,
        organization,
        state,
        agent=visit.agent.id,
        at=time.time(),
        contact=contact.id,
        disclosed=state == PICKED and organization in visit.found.proven,
        **keys,
    )
    return [replace(said, scope=scope, subject=subject) for scope, subject in subjects.items()]


def _find_outdated(visit: Visit, action: str, said: list[Link]) -> set[int]:
    """Return the organizations that may stand in Chatwoot and no longer should.

    A refused organization goes, whoever wrote it; of an undone or replaced pick, only the values
    that it has written itself.
    """
    if action == "refuse":
        return {each.organization for each in said}
    scopes = {each.scope for each in said}
    ended = [each for each in visit.links if each.scope in scopes] if action == "pick" else said
    return {each.organization for each in ended if each.disclosed}


def _find_undone(visit: Visit, organization: int, moment: str) -> list[Link]:
    """Return the decision of that `moment`, none where it is gone. Without a moment it is the
    newest: the pick that is shown, else the refusal. Its twin comes with it, the link of the
    contact or of the conversation."""
    mine = [each for each in visit.links if each.organization == organization]
    words = [each for each in mine if each.said_by == BY_AGENT]
    if not moment:
        shown = visit.found.get(organization)
        state = PICKED if shown and shown.link == PICKED else REFUSED
        said = [each for each in words if each.state == state]
        here = [each for each in said if each.scope == CONVERSATION] or said
        moment = str(here[0].at) if here else ""
    return [each for each in words if str(each.at) == moment]
