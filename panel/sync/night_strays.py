"""Strays: contacts and conversations that we do not know, because their webhooks were lost.

Chatwoot sends a webhook once, and repeats none. Conversations that name no organization are listed
in bulk each night. Contacts that show a person's e-mail or phone, and name no organization, are
searched for the organizations whose turn was this night, many people in one request.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from panel.data.directory import Directory, Person
from panel.data.inbox import DAY_SECONDS
from panel.data.nights import NightRow
from panel.data.readings import Readings
from panel.data.tasks import Task
from panel.models.phones import list_spellings
from panel.models.text import normalize_email
from panel.sync.chatwoot_events import EventReader, Mention
from panel.upstream.chatwoot import PAGE_CONTACTS, Chatwoot, Condition
from panel.upstream.chatwoot_conversations import FILTERED_CONVERSATIONS

log = logging.getLogger(__name__)
PEOPLE_ASKED_AT_ONCE = 50  # mostly no contact is found, so the answer is one page
LOOKED_AT_ONCE = 15  # organizations that are searched in one step of the night
# Pages of conversations: the latest thousand living ones without an organization.
MOST_UNNAMED_PAGES = 40
# The search may make one call for every twelve contacts. Where that is fewer than ROOM calls, the
# conversations have their turn in one night of seven, and the contacts in another one.
ROOM = 2
CALLS_FOR_CONTACTS = 12
DAYS = {"conversations": 0, "contacts": 3}
WEEK = 7  # nights


@dataclass(frozen=True)
class WorkOrders:
    """`line_up(organizations)` lines up passes; `ask(task, organization)` keeps a task."""

    line_up: Callable[[Collection[int]], None]
    ask: Callable[[Task, int | None], object]


class Strays:
    """Searches for strays in the last steps of a night; the night's `place` is the progress."""

    def __init__(
        self, chatwoot: Chatwoot, directory: Directory, readings: Readings, reader: EventReader
    ) -> None:
        self._chatwoot = chatwoot
        self._directory = directory
        self._readings = readings
        self._reader = reader

    def look(self, night: NightRow, orders: WorkOrders) -> NightRow | None:
        """Take one step; returns None when the search is done. Raises `PanelError`."""
        if night.place == 0:
            if has_turn(night, "conversations"):
                self._look_at_conversations(orders)
            return replace(night, place=1)
        if not has_turn(night, "contacts"):
            return None
        since = night.begun_at if _has_room(night) else 0.0
        numbers = self._readings.list_turned(since, night.place, LOOKED_AT_ONCE)
        if not numbers:
            return None
        organizations = self._find_unseated(numbers)
        orders.line_up(organizations)
        place, lined_up = numbers[-1] + 1, night.lined_up + len(organizations)
        return replace(night, place=place, lined_up=lined_up)

    def _look_at_conversations(self, orders: WorkOrders) -> None:
        for page in range(1, MOST_UNNAMED_PAGES + 1):
            conversations = self._chatwoot.list_unnamed(page)
            for row in conversations:
                mention = Mention(row.id, row.contact.id, row.status, row.attributes)
                for task, organization in self._reader.find_naming(mention).items():
                    orders.ask(task, organization)
            if len(conversations) < FILTERED_CONVERSATIONS:
                return

    def _find_unseated(self, numbers: Sequence[int]) -> list[int]:
        """Return the organizations that would seat a contact which names no organization."""
        people = [
            person for number in numbers for person in self._directory.people_of(number).values()
        ]
        organizations: set[int] = set()
        for at in range(0, len(people), PEOPLE_ASKED_AT_ONCE):
            keys = list(_list_keys(people[at : at + PEOPLE_ASKED_AT_ONCE]))
            for contact in self._chatwoot.list_strangers(keys) if keys else ():
                email = normalize_email(contact.email) or ""
                unseated = self._directory.find_unseated(contact.id, email, contact.phone or "")
                organizations |= unseated.intersection(numbers)
        return sorted(organizations)


def _list_keys(people: Sequence[Person]) -> Iterator[Condition]:
    for person in people:
        if person.email:
            yield Condition("email", person.email)
        if person.phone and not person.phone_shared:
            yield from (Condition("phone_number", form) for form in list_spellings(person.phone))


def _has_room(night: NightRow) -> bool:
    """Tell whether the conversations and the contacts both fit into the calls of this night."""
    pages = -(-night.contacts // PAGE_CONTACTS)
    return night.contacts // CALLS_FOR_CONTACTS - pages >= ROOM


def has_turn(night: NightRow, half: str) -> bool:
    """Tell whether this half (conversations or contacts) has its turn in this night."""
    return _has_room(night) or int(night.begun_at // DAY_SECONDS) % WEEK == DAYS[half]
