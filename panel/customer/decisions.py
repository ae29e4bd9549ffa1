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
CONTACT_SECONDS = 3.0  # the wait for a contact that a pass is writing


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
            decisions = _find_undone(visit, organization, undone)
        else:
            decisions = _make_links(
                visit, organization, PICKED if action == "pick" else REFUSED, scope
            )
        decisions = self._record(visit, organization, action, decisions)
        names = {organization: name} if any(link.disclosed for link in decisions) and name else {}
        outdated = _find_outdated(visit, action, decisions) - names.keys()
        return self._tell(visit.conversation, {link.scope for link in decisions}, names, outdated)

    def withhold(self, visit: Visit, organization: int, scopes: Collection[str]) -> str:
        """Remove the values of these scopes' picks from Chatwoot. Returns a notice as `decide`."""
        return self._tell(visit.conversation, scopes, {}, {organization})

    def _tell(
        self,
        conversation: Conversation,
        scopes: Collection[str],
        names: dict[int, str],
        outdated: set[int],
    ) -> str:
        try:
            if scopes:
                self._write_conversation(conversation, names, outdated)
            if CONTACT in scopes and (names or outdated):
                self._write_contact(conversation.contact, names, outdated)
        except PanelError:
            return "chatwoot_not_told"
        return ""

    def _record(
        self, visit: Visit, organization: int, action: str, decisions: list[Link]
    ) -> list[Link]:
        """Store the links and their row in the access log together; returns the new links."""
        with transaction(self._services.database) as connection:
            if action == "undo":
                decisions = links.take_back(connection, decisions)
            else:
                links.write(connection, decisions)
            scopes = {link.scope for link in decisions}
            if scopes:
                agent, where, how = visit.agent.id, visit.conversation.id, visit.seal.proof
                note = CONTACT if CONTACT in scopes else CONVERSATION
                audit_log.write_entry(
                    connection, AuditEntry(action, agent, where, organization, how, note=note)
                )
        return decisions

    def _fetch_name(self, organization: int) -> str:
        """Return the name; only an organization that the back office knows can be picked."""
        try:
            reading = self._services.back_office.read(
                ORGANIZATION, organization, CacheControl.STALE_WHILE_REVALIDATE
            )
        except PanelError as error:
            raise CannotPick(error.code, error.detail) from error
        return reading.value.name[:LONGEST_NAME]

    def _write_conversation(
        self, conversation: Conversation, names: dict[int, str], outdated: set[int]
    ) -> None:
        """`names`: id and name to write. Where it is empty, our keys are removed if they name an
        organization in `outdated`."""
        present = str(conversation.attributes.get(ID_ATTRIBUTE, ""))
        values: dict[str, str | None] = {ID_ATTRIBUTE: None, NAME_ATTRIBUTE: None}
        for organization, name in names.items():
            values = {ID_ATTRIBUTE: str(organization), NAME_ATTRIBUTE: name}
        if names or present in map(str, outdated):
            self._services.chatwoot.change_conversation(conversation.id, values)

    def _write_contact(
        self, contact: Contact, new_picks: dict[int, str], outdated: set[int]
    ) -> None:
        """Write the same into the contact, beside the organizations of its seats."""
        # Passes hold this lock too (`sync.reconcile`): a contact has one writer at a time.
        with self._services.locks.hold(f"contact:{contact.id}", CONTACT_SECONDS) as alone:
            if not alone:
                raise Unreachable("contact_busy", "a pass writes this contact")
            names = self._list_organizations(contact, new_picks)
            values = {
                ID_ATTRIBUTE: ",".join(map(str, names)),
                NAME_ATTRIBUTE: ", ".join(filter(None, names.values())),
            }
            if names:
                self._services.chatwoot.update_contact(contact.id, {"custom_attributes": values})
            elif str(contact.attributes.get(ID_ATTRIBUTE, "")) in map(str, outdated):
                self._services.chatwoot.clear_contact(contact.id, list(values))

    def _list_organizations(self, contact: Contact, new_picks: dict[int, str]) -> dict[int, str]:
        """Return the organizations that may stand in the contact now, ascending, with the names
        that we know; `new_picks`: the one that was picked just now."""
        own_links = self._services.links.find(0, contact.id)
        refusals = {link.organization for link in own_links if link.state == REFUSED}
        picks = {link.organization for link in own_links if link.state == PICKED and link.disclosed}
        seats = {
            organization.id
            for organization, _ in self._services.directory.memberships_of(contact.id)
        }
        right = sorted((seats - refusals) | picks)
        organizations = self._services.directory.get_organizations(right)
        names = {
            number: organizations[number].name if number in organizations else ""
            for number in right
        }
        return names | {number: name for number, name in new_picks.items() if number in names}


def _make_links(visit: Visit, organization: int, state: str, scope: str) -> list[Link]:
    """Return the new links: of the conversation, and of the contact if the agent meant it."""
    contact = visit.conversation.contact
    subjects = {CONVERSATION: visit.conversation.id}
    if scope == CONTACT:
        subjects[CONTACT] = contact.id
    keys = vars(matching.read_keys(contact))
    link = Link(
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
    return [replace(link, scope=scope, subject=subject) for scope, subject in subjects.items()]


def _find_outdated(visit: Visit, action: str, decisions: list[Link]) -> set[int]:
    """Return the organizations that may stand in Chatwoot and no longer should.

    The values of a refused organization go, whoever wrote them. The values of an undone or replaced
    pick go only where that pick itself has written them.
    """
    if action == "refuse":
        return {link.organization for link in decisions}
    scopes = {link.scope for link in decisions}
    ended_links = (
        [link for link in visit.links if link.scope in scopes] if action == "pick" else decisions
    )
    return {link.organization for link in ended_links if link.disclosed}


def _find_undone(visit: Visit, organization: int, moment: str) -> list[Link]:
    """Return the links of the decision that was made at that `moment`; none where it is gone.
    Without a moment, the newest decision is meant: the pick that is shown, else the refusal. A
    decision can have two links: one of the contact, one of the conversation."""
    own_links = [link for link in visit.links if link.organization == organization]
    decisions = [link for link in own_links if link.said_by == BY_AGENT]
    if not moment:
        candidate = visit.found.get(organization)
        state = PICKED if candidate and candidate.link == PICKED else REFUSED
        latest = [link for link in decisions if link.state == state]
        nearest = [link for link in latest if link.scope == CONVERSATION] or latest
        moment = str(nearest[0].at) if nearest else ""
    return [link for link in decisions if str(link.at) == moment]
