"""Settled people: their contacts had the right values when they were last read or written, so that
a pass need not read them."""

import time
from collections.abc import Mapping, Set

from panel.data.directory import Person
from panel.data.sightings import FRESH_SECONDS, Sighting, Sightings, make_digest
from panel.sync.contact_writer import ContactWriter
from panel.sync.people import DesiredPerson, is_guessable


class SettledPeople:
    """The people of one organization and their contacts, as the last pass left them."""

    def __init__(
        self,
        sightings: Sightings,
        writer: ContactWriter,
        before: Mapping[str, Person],
        further: Mapping[str, Set[int]],
    ) -> None:
        self._writer = writer
        self._before = before
        self._contacts = {
            key: {person.contact, *further.get(key, ())} for key, person in before.items()
        }
        every = sorted(set().union(*self._contacts.values()))
        self._seen = sightings.find(every)
        self._oldest = time.time() - FRESH_SECONDS

    def covers(self, desired: DesiredPerson) -> bool:
        """Tell whether a pass would neither find, nor write, nor decide anything about this
        person."""
        stored = self._before.get(desired.key)
        if not stored or not stored.contact or _is_open(stored) or not _is_same(stored, desired):
            return False
        return all(self._is_up_to_date(number) for number in self._contacts[desired.key])

    def _is_up_to_date(self, number: int) -> bool:
        sighting: Sighting | None = self._seen.get(number)
        if sighting is None or sighting.seen_at < self._oldest:
            return False
        return sighting.told == make_digest(self._writer.make_right_attributes(number))


def _is_same(stored: Person, desired: DesiredPerson) -> bool:
    keys = ("role", "email", "phone", "phone_shared", "lacks")
    return all(getattr(stored, key) == getattr(desired, key) for key in keys)


def _is_open(stored: Person) -> bool:
    """Tell whether an earlier pass left work to be done."""
    return bool(stored.former_email or stored.merged_into or is_guessable(stored.identifier))
