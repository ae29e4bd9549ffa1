"""The organization's id and name on a contact's open conversations; agents' decisions stay."""

from collections.abc import Collection, Mapping

from panel.data.links import CONVERSATION, MATCHED, PICKED, REFUSED, Link, Links
from panel.upstream.chatwoot import ID_ATTRIBUTE, NAME_ATTRIBUTE, Chatwoot


class Conversations:
    """Raises `PanelError`, as Chatwoot and the links do."""

    def __init__(self, chatwoot: Chatwoot, links: Links) -> None:
        self._chatwoot = chatwoot
        self._links = links

    def write_name(self, contact: int, seats: Mapping[str, str]) -> None:
        """`seats`: the contact's organizations, names by id; one that is alone is written down."""
        for number, present in self._chatwoot.open_conversations(contact).items():
            said = self._links.find(number, contact)
            if _is_decided(said, seats):
                continue
            named = str(present.get(ID_ATTRIBUTE, ""))
            if len(seats) > 1 and _is_named_by_us(said, named):
                # We named it while we knew of one organization alone: now it is the agent's.
                self._clear_name(number, int(named))
                continue
            # Of several organizations only one that the conversation names already is right.
            right = next(iter(seats)) if len(seats) == 1 else named
            if right not in seats or (
                named == right and present.get(NAME_ATTRIBUTE) == seats[right]
            ):
                continue
            self._chatwoot.change_conversation(
                number, {ID_ATTRIBUTE: right, NAME_ATTRIBUTE: seats[right]}
            )
            if named != right:
                self._links.put(Link(CONVERSATION, number, int(right), MATCHED))

    def clear_name(self, contact: int, organization: int, for_good: bool) -> None:
        """The contact left it; `for_good`: it is gone, so what agents decided falls as well."""
        for number, present in self._chatwoot.open_conversations(contact).items():
            said = self._links.find(number, contact)
            mine = str(present.get(ID_ATTRIBUTE, "")) == str(organization)
            if mine and (for_good or not _is_decided(said, {str(organization)})):
                self._clear_name(number, organization)

    def withhold_name(self, conversation: int, organization: int) -> None:
        """What was written for a pick that may not be disclosed goes."""
        present = self._chatwoot.conversation(conversation).attributes
        if str(present.get(ID_ATTRIBUTE, "")) == str(organization):
            self._clear_name(conversation, organization)

    def _clear_name(self, conversation: int, organization: int) -> None:
        self._chatwoot.change_conversation(conversation, {ID_ATTRIBUTE: None, NAME_ATTRIBUTE: None})
        self._links.unmatch(conversation, organization, CONVERSATION)


def _is_decided(said: list[Link], seats: Collection[str]) -> bool:
    """Did an agent say something about this conversation, or pick another one for the contact?"""
    words = [link for link in said if link.state in (PICKED, REFUSED)]
    here = any(link.scope == CONVERSATION for link in words)
    picked = [str(link.organization) for link in words if link.state == PICKED]
    return here or any(each not in seats for each in picked)


def _is_named_by_us(said: list[Link], named: str) -> bool:
    noted = [link for link in said if link.scope == CONVERSATION and link.state == MATCHED]
    return any(str(link.organization) == named for link in noted)
