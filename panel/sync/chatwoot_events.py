"""The work that a Chatwoot event asks for: passes, tasks, warming. Only our own tables are read.

Our own writes come back as events within a second or two. Such an echo costs nothing, because an
event is compared with the values that our tables call right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from panel.data.directory import Directory
from panel.data.links import Links
from panel.data.tasks import NAMING, REPAIR, Task
from panel.models.text import clean, normalize_email
from panel.sync.conversations import (
    NO_NAME,
    Names,
    Values,
    find_changes,
    find_right_values,
    is_stale,
    is_unnamed,
    list_picked,
)
from panel.sync.memberships import Memberships
from panel.sync.people import OUR_ATTRIBUTES
from panel.upstream.chatwoot import ID_ATTRIBUTE, RESOLVED

IDENTIFYING = frozenset({"email", "phone_number", "identifier"})
LARGEST_NUMBER = 2**63 - 1  # the largest that a database keeps
Event = Mapping[str, Any]


@dataclass(frozen=True)
class Demand:
    """The work that an event asks for: organizations that need a pass, tasks, each with one
    organization of its contact, and organizations whose copies are to be warmed.

    `resolved`: the number of the conversation that has just been resolved, else 0.
    """

    passes: frozenset[int] = frozenset()
    tasks: Mapping[Task, int | None] = field(default_factory=dict)
    warmings: frozenset[int] = frozenset()
    resolved: int = 0


@dataclass(frozen=True)
class Mention:
    """A conversation as an event tells of it."""

    number: int
    contact: int
    status: str
    attributes: Mapping[str, Any]


class EventReader:
    """Raises `Unreachable("database")`."""

    def __init__(self, directory: Directory, links: Links) -> None:
        self._directory = directory
        self._links = links
        self._memberships = Memberships(directory, links)

    def read(self, event: Event) -> Demand:
        """Return the demand of this event; it is empty for an event that we do not handle."""
        name = event.get("event")
        if name == "conversation_created":
            return self._read_new_conversation(event)
        if name in ("conversation_updated", "conversation_status_changed"):
            tasks = self._judge(event, _find_new_values(event))
            return Demand(tasks=tasks, resolved=_find_resolved(event))
        if name == "message_created" and not event.get("private"):
            return self._read_message(event)
        if name == "contact_created":
            return Demand(passes=self._find_unseated(event))
        if name == "contact_updated":
            passes = self._find_unseated(event) if _identifies(event) else frozenset[int]()
            return Demand(passes, self._find_repair(event))
        return Demand()

    def _read_new_conversation(self, event: Event) -> Demand:
        sender = _find_sender(event)
        seats = self._find_seated(sender)
        # A known person may write through a contact that no pass has found yet.
        passes = frozenset() if seats else self._find_unseated(sender)
        present = _require_mapping(event.get("custom_attributes"))
        set_by_others = {key: present.get(key) for key in NO_NAME}
        return Demand(passes, self._judge(event, set_by_others, lives=True), seats)

    def _read_message(self, event: Event) -> Demand:
        """A customer's message reopens a resolved conversation; the event may show its old
        status."""
        conversation = _require_mapping(event.get("conversation"))
        incoming = event.get("message_type") == "incoming"
        tasks = self._judge(conversation, {}, lives=incoming)
        sender = _find_sender(conversation) or (event.get("sender") if incoming else None)
        return Demand(tasks=tasks, warmings=self._find_seated(sender) if incoming else frozenset())

    def _judge(
        self, conversation: Event, changes: Mapping[str, Any], lives: bool = False
    ) -> dict[Task, int | None]:
        """Return the task for a conversation. `changes`: the values that somebody has just set;
        `lives`: treat the conversation as living, whatever its status.

        A resolved conversation gets no name; a wrong value that somebody set there is repaired.
        """
        mention = _read_mention(conversation)
        return (
            self._name_task(mention, changes, lives or mention.status != RESOLVED)
            if mention
            else {}
        )

    def find_naming(self, mention: Mention) -> dict[Task, int | None]:
        """Return the naming of this conversation, if its organization's name is missing or
        wrong."""
        return self._name_task(mention, {}, lives=True)

    def _name_task(
        self, mention: Mention, changes: Mapping[str, Any], lives: bool
    ) -> dict[Task, int | None]:
        seats = self._memberships.name_seats(mention.contact)
        kind = self._name_kind(mention, seats, changes, lives)
        if not kind:
            return {}
        number = mention.contact if kind == REPAIR else mention.number
        return {Task(kind, number): min(map(int, seats), default=None)}

    def _name_kind(
        self, mention: Mention, seats: Names, changes: Mapping[str, Any], lives: bool
    ) -> str:
        """Return NAMING, REPAIR or an empty text.

        An event that was sent before our naming may arrive after it. So a missing name does not
        prove that somebody removed it; a changed attribute does.
        """
        links = self._links.find(mention.number, mention.contact)
        picks = self._memberships.name_organizations(list_picked(links))
        right = find_right_values(mention.attributes, links, seats, picks)
        wrong = find_changes(mention.attributes, right)
        is_old_name = ID_ATTRIBUTE in wrong and is_stale(mention.attributes, links)
        if lives and wrong and (is_old_name or is_unnamed(links, seats, right)):
            return NAMING
        return REPAIR if wrong and _is_overwritten(changes, right) else ""

    def _find_repair(self, event: Event) -> dict[Task, int | None]:
        """Return the repair of a contact, if somebody changed one of our attributes."""
        number = _read_number(event.get("id"))
        changes = _find_new_values(event)
        if not number or not changes.keys() & set(OUR_ATTRIBUTES):
            return {}
        right = self._memberships.find_attributes(number)
        if right is None or not _is_overwritten(changes, right):
            return {}
        return {Task(REPAIR, number): min(self._find_seated(event), default=None)}

    def _find_seated(self, contact: Any) -> frozenset[int]:
        """Return the organizations in which a pass has seated this contact."""
        number = _read_number(_require_mapping(contact).get("id"))
        rows = self._directory.memberships_of(number) if number else []
        return frozenset(organization.id for organization, _ in rows)

    def _find_unseated(self, contact: Any) -> frozenset[int]:
        """Return organizations that know this e-mail or phone, and whose pass would seat the
        contact.

        Our own writes come back here too, but their contacts are seated already.
        """
        fields = _require_mapping(contact)
        email = normalize_email(_read_key(fields, "email")) or ""
        phone = _read_key(fields, "phone_number")
        return frozenset(
            self._directory.find_unseated(_read_number(fields.get("id")), email, phone)
        )


def _is_overwritten(changes: Mapping[str, Any], right: Values | Mapping[str, Any] | None) -> bool:
    """Tell whether somebody else set one of our values. Our own writes set the right values, so
    their echo never counts."""
    ours = {key: value for key, value in changes.items() if key in OUR_ATTRIBUTES}
    return any(value != (right or {}).get(key) for key, value in ours.items())


def _find_resolved(event: Event) -> int:
    """Return the conversation that this event resolves, or 0.

    Only a change of the status counts: another event may be older than a reopening.
    """
    is_change = event.get("event") == "conversation_status_changed"
    resolved = is_change and event.get("status") == RESOLVED
    return _read_number(event.get("id")) if resolved else 0


def _find_new_values(event: Event) -> dict[str, Any]:
    """Return the custom attributes that were just changed, with their present values."""
    rows = event.get("changed_attributes")
    values: dict[str, Any] = {}
    for row in rows if isinstance(rows, list) else []:
        change = _require_mapping(_require_mapping(row).get("custom_attributes"))
        before = _require_mapping(change.get("previous_value"))
        after = _require_mapping(change.get("current_value"))
        keys = before.keys() | after.keys()
        values |= {key: after.get(key) for key in keys if before.get(key) != after.get(key)}
    return values


def _identifies(event: Event) -> bool:
    """Tell whether a key of the contact changed: an e-mail, a phone. Most updates note mere
    activity."""
    changes = event.get("changed_attributes")
    rows = changes if isinstance(changes, list) else []
    return any(IDENTIFYING & row.keys() for row in rows if isinstance(row, dict))


def _read_mention(conversation: Event) -> Mention | None:
    """Return the conversation of an event; None where its number or its contact's is missing."""
    number = _read_number(conversation.get("id"))
    contact = _read_number(_require_mapping(_find_sender(conversation)).get("id"))
    if not number or not contact:
        return None
    attributes = _require_mapping(conversation.get("custom_attributes"))
    return Mention(number, contact, str(conversation.get("status")), attributes)


def _find_sender(conversation: Event) -> Any:
    """Return the contact of a conversation."""
    return _require_mapping(conversation.get("meta")).get("sender")


def _require_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_number(value: Any) -> int:
    """Return the id, or 0 where the value is no id."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 < value <= LARGEST_NUMBER else 0


def _read_key(contact: Mapping[str, Any], name: str) -> str:
    """Return the value, or "" where a database would refuse it: a NUL, half of a surrogate pair."""
    value = contact.get(name)
    return value if isinstance(value, str) and value == clean(value) else ""
