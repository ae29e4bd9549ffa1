"""The organization's id and name on a contact's conversations; agents' decisions stay.

A living conversation (open, pending, snoozed) is named. A resolved one is named when it comes to
life (see `chatwoot_hooks`); until then only a wrong value in it is corrected.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from panel.data.links import CONVERSATION, MATCHED, PICKED, REFUSED, Link, Links
from panel.errors import Missing, Unauthorized
from panel.sync.contact_errors import work_on_each
from panel.sync.memberships import Memberships
from panel.upstream.chatwoot import (
    ID_ATTRIBUTE,
    LIVING_STATUSES,
    NAME_ATTRIBUTE,
    RESOLVED,
    Chatwoot,
    ListedConversation,
    ValuesRefused,
)

log = logging.getLogger(__name__)
Names = Mapping[str, str]  # names of organizations, by id
NamePicks = Callable[[set[int]], Names]
Values = Mapping[str, str | None]  # of our two keys; None: the key should not be there
NO_NAME: Values = {ID_ATTRIBUTE: None, NAME_ATTRIBUTE: None}
NOT_PERMITTED = "not_permitted"  # the token's user belongs to this account, and not to this inbox


class ConversationsRefused(ValuesRefused):
    """Chatwoot refused the values of some of a contact's conversations; the others are written."""


class Conversations:
    """Raises `PanelError`, as Chatwoot and the links do."""

    def __init__(self, chatwoot: Chatwoot, links: Links) -> None:
        self._chatwoot = chatwoot
        self._links = links

    def write_name(self, contact: int, seats: Names, name_picks: NamePicks = lambda _: {}) -> None:
        """Bring all of the contact's conversations in line.

        `seats`: the contact's organizations; `name_picks`: gives the names of those that agents
        have picked, as far as we know them. Raises `ConversationsRefused` at the end.
        """

        def correct(row: ListedConversation) -> None:
            if row.status == RESOLVED and not _says_anything(row.attributes):
                return
            links = self._links.find(row.id, contact)
            picks = name_picks(list_picked(links))
            if find_changes(row.attributes, find_right_values(row.attributes, links, seats, picks)):
                self._correct(row.id, lambda _: seats, name_picks)

        self._work(self._chatwoot.list_conversations(contact, LIVING_STATUSES), correct)

    def write_one(self, number: int, memberships: Memberships) -> None:
        """Bring one conversation in line: one read, and one write where it is needed.

        Raises `ConversationsRefused`.
        """

        def correct(number: int) -> None:
            self._correct(number, memberships.name_seats, memberships.name_organizations)

        self._work([number], correct)

    def clear_name(self, contact: int, organization: int, for_good: bool) -> None:
        """Clear the name of an organization that the contact left.

        `for_good`: the organization is gone, so agents' decisions about it no longer count.

        Resolved conversations are cleared too: no pass reads a contact without an organization
        again.
        """

        def clear(row: ListedConversation) -> None:
            links = self._links.find(row.id, contact)
            if for_good or not _is_decided(links, {str(organization)}):
                self.withhold_name(row.id, organization)

        rows = self._chatwoot.list_conversations(contact)
        self._work([row for row in rows if _read_id(row.attributes) == str(organization)], clear)

    def withhold_name(self, conversation: int, organization: int) -> None:
        """Clear this organization's values in the conversation."""
        present = self._chatwoot.conversation(conversation).attributes
        if _read_id(present) == str(organization):
            self._chatwoot.change_conversation(conversation, NO_NAME, present)
            self._links.unmatch(conversation, organization, CONVERSATION)

    def _correct(
        self,
        number: int,
        name_seats: Callable[[int], Names],
        name_picks: NamePicks,
    ) -> None:
        """Read the conversation again, then correct it: an agent may have decided meanwhile."""
        conversation = self._chatwoot.conversation(number)
        contact, present = conversation.contact.id, conversation.attributes
        links, seats = self._links.find(number, contact), name_seats(contact)
        picks = name_picks(list_picked(links))
        changes = find_changes(present, find_right_values(present, links, seats, picks))
        if changes:
            self._chatwoot.change_conversation(number, changes, present)
        if ID_ATTRIBUTE in changes and not _is_decided(links, seats):
            self._note(number, links, changes[ID_ATTRIBUTE])

    def _note(self, number: int, links: list[Link], organization: str | None) -> None:
        """Keep the organization that we wrote there as a link."""
        for link in _list_matched(links):
            if str(link.organization) != organization:
                self._links.unmatch(number, link.organization, CONVERSATION)
        if organization:
            self._links.put(Link(CONVERSATION, number, int(organization), MATCHED))

    def _work(self, rows: Iterable[Any], act: Callable[[Any], None]) -> None:
        """Work on each row; a conversation that Chatwoot refuses does not stop the others."""

        def work(row: Any) -> str:
            number = row if isinstance(row, int) else row.id
            try:
                act(row)
            except Missing:
                log.info("conversation %d is gone", number)
            except ValuesRefused as error:
                return f"conversation {number}: {error.detail}"
            except Unauthorized as error:
                if error.code != NOT_PERMITTED:
                    raise
                return f"conversation {number}: {error.code}"
            return ""

        errors = work_on_each(work, rows)
        if errors.error:
            raise errors.error
        if errors.refused:
            raise ConversationsRefused(errors.refused)


def find_right_values(
    present: Mapping[str, Any],
    links: list[Link],
    seats: Names,
    picks: Names = MappingProxyType({}),
) -> Values | None:
    """Return the right values of our two keys of a conversation; None: the present values stay.

    `links`: those of the conversation and its contact; `seats`: the contact's organizations;
    `picks`: those of `list_picked` that we know.
    """
    present_id = _read_id(present)
    if _is_decided(links, seats):
        return _find_picked_values(links, picks)
    if len(seats) == 1:
        [(organization, name)] = seats.items()
        return {ID_ATTRIBUTE: organization, NAME_ATTRIBUTE: name}
    # With several organizations, the one that the conversation names already is right. But a name
    # that we wrote while we knew of that organization alone is not: now an agent has to choose.
    if present_id in seats and not is_stale(present, links):
        return {ID_ATTRIBUTE: present_id, NAME_ATTRIBUTE: seats[present_id]}
    return NO_NAME if seats or is_stale(present, links) else None


def find_changes(present: Mapping[str, Any], right: Values | None) -> dict[str, str | None]:
    """Return the keys whose present value is wrong, with the right value."""
    return {key: value for key, value in (right or {}).items() if present.get(key) != value}


def is_stale(present: Mapping[str, Any], links: list[Link]) -> bool:
    """Tell whether we wrote the present name. A name of ours is outdated as soon as it is no longer
    the right one."""
    return _read_id(present) in {str(link.organization) for link in _list_matched(links)}


def is_unnamed(links: list[Link], seats: Names, right: Values | None) -> bool:
    """Tell whether the conversation should have a name that we have never given it."""
    organization = (right or {}).get(ID_ATTRIBUTE)
    ours = {str(link.organization) for link in _list_matched(links)}
    return bool(organization) and organization not in ours and not _is_decided(links, seats)


def list_picked(links: list[Link]) -> set[int]:
    """Return an agent's disclosed pick for this very conversation: one organization at most."""
    picks = [link for link in links if link.scope == CONVERSATION and link.state == PICKED]
    return {link.organization for link in picks if link.disclosed}


def _find_picked_values(links: list[Link], picks: Names) -> Values | None:
    for organization in map(str, list_picked(links)):
        if organization in picks:
            return {ID_ATTRIBUTE: organization, NAME_ATTRIBUTE: picks[organization]}
    return None


def _is_decided(links: list[Link], seats: Collection[str]) -> bool:
    """Tell whether an agent decided about this conversation, or picked another organization for the
    contact."""
    words = [link for link in links if link.state in (PICKED, REFUSED)]
    is_about_it = any(link.scope == CONVERSATION for link in words)
    picks = [str(link.organization) for link in words if link.state == PICKED]
    return is_about_it or any(organization not in seats for organization in picks)


def _list_matched(links: list[Link]) -> list[Link]:
    """Return the links that record our own writes into the conversation."""
    return [link for link in links if link.scope == CONVERSATION and link.state == MATCHED]


def _read_id(present: Mapping[str, Any]) -> str:
    return str(present.get(ID_ATTRIBUTE) or "")


def _says_anything(present: Mapping[str, Any]) -> bool:
    return any(present.get(key) for key in NO_NAME)
