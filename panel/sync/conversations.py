"""The organization's id and name on a contact's conversations; agents' decisions stay.

A conversation is named while it lives (open, pending, snoozed), and anew when it comes to life: see
`chatwoot_hooks`. A resolved one stays without a name, but what it says wrongly is corrected.
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
Names = Mapping[str, str]  # of organizations, by id
NamePicks = Callable[[set[int]], Names]
Values = Mapping[str, str | None]  # of our two keys; None: the key should not be there
NO_NAME: Values = {ID_ATTRIBUTE: None, NAME_ATTRIBUTE: None}
NOT_PERMITTED = "not_permitted"  # the token's user is in this account, and not in this inbox


class ConversationsRefused(ValuesRefused):
    """Chatwoot refused some of a contact's conversations; the others are done."""


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
            said = self._links.find(row.id, contact)
            picks = name_picks(list_picked(said))
            if find_changes(row.attributes, find_right_values(row.attributes, said, seats, picks)):
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
        """The contact left it; `for_good`: it is gone, so what agents decided falls as well.

        Resolved ones are cleared too: a contact of no organization is in no pass any more.
        """

        def clear(row: ListedConversation) -> None:
            said = self._links.find(row.id, contact)
            if for_good or not _is_decided(said, {str(organization)}):
                self.withhold_name(row.id, organization)

        listed = self._chatwoot.list_conversations(contact)
        self._work([row for row in listed if _read_id(row.attributes) == str(organization)], clear)

    def withhold_name(self, conversation: int, organization: int) -> None:
        """What stands there of this organization goes."""
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
        """Read it again first: an agent may have decided meanwhile."""
        conversation = self._chatwoot.conversation(number)
        contact, present = conversation.contact.id, conversation.attributes
        said, seats = self._links.find(number, contact), name_seats(contact)
        picks = name_picks(list_picked(said))
        changes = find_changes(present, find_right_values(present, said, seats, picks))
        if changes:
            self._chatwoot.change_conversation(number, changes, present)
        if ID_ATTRIBUTE in changes and not _is_decided(said, seats):
            self._note(number, said, changes[ID_ATTRIBUTE])

    def _note(self, number: int, said: list[Link], named: str | None) -> None:
        """`named`: the organization that we wrote there."""
        for link in _list_matched(said):
            if str(link.organization) != named:
                self._links.unmatch(number, link.organization, CONVERSATION)
        if named:
            self._links.put(Link(CONVERSATION, number, int(named), MATCHED))

    def _work(self, rows: Iterable[Any], act: Callable[[Any], None]) -> None:
        """One that Chatwoot refuses does not stop the others."""

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
    said: list[Link],
    seats: Names,
    picks: Names = MappingProxyType({}),
) -> Values | None:
    """What our two keys of a conversation should say; None: that is not ours to say.

    `said`: the links of the conversation and its contact; `seats`: the contact's organizations;
    `picks`: those of `list_picked` that we know.
    """
    named = _read_id(present)
    if _is_decided(said, seats):
        return _find_picked_values(said, picks)
    if len(seats) == 1:
        [(organization, name)] = seats.items()
        return {ID_ATTRIBUTE: organization, NAME_ATTRIBUTE: name}
    # Of several organizations only one that the conversation names already is right; not one that
    # we named while we knew of it alone: now it is the agent's to say.
    if named in seats and not is_stale(present, said):
        return {ID_ATTRIBUTE: named, NAME_ATTRIBUTE: seats[named]}
    return NO_NAME if seats or is_stale(present, said) else None


def find_changes(present: Mapping[str, Any], right: Values | None) -> dict[str, str | None]:
    """What has to be written so that it says what is right."""
    return {key: value for key, value in (right or {}).items() if present.get(key) != value}


def is_stale(present: Mapping[str, Any], said: list[Link]) -> bool:
    """Does a name stand there that we wrote? Where it is not right, it is no longer."""
    return _read_id(present) in {str(link.organization) for link in _list_matched(said)}


def is_unnamed(said: list[Link], seats: Names, right: Values | None) -> bool:
    """Should the conversation have a name that we have never given it?"""
    named = (right or {}).get(ID_ATTRIBUTE)
    ours = {str(link.organization) for link in _list_matched(said)}
    return bool(named) and named not in ours and not _is_decided(said, seats)


def list_picked(said: list[Link]) -> set[int]:
    """What an agent picked for this very conversation, where it may be disclosed; one at most."""
    picked = [link for link in said if link.scope == CONVERSATION and link.state == PICKED]
    return {link.organization for link in picked if link.disclosed}


def _find_picked_values(said: list[Link], picks: Names) -> Values | None:
    for organization in map(str, list_picked(said)):
        if organization in picks:
            return {ID_ATTRIBUTE: organization, NAME_ATTRIBUTE: picks[organization]}
    return None


def _is_decided(said: list[Link], seats: Collection[str]) -> bool:
    """Did an agent say something about this conversation, or pick another one for the contact?"""
    words = [link for link in said if link.state in (PICKED, REFUSED)]
    here = any(link.scope == CONVERSATION for link in words)
    picked = [str(link.organization) for link in words if link.state == PICKED]
    return here or any(each not in seats for each in picked)


def _list_matched(said: list[Link]) -> list[Link]:
    """What we wrote into the conversation, as far as we noted it."""
    return [link for link in said if link.scope == CONVERSATION and link.state == MATCHED]


def _read_id(present: Mapping[str, Any]) -> str:
    return str(present.get(ID_ATTRIBUTE) or "")


def _says_anything(present: Mapping[str, Any]) -> bool:
    return any(present.get(key) for key in NO_NAME)
