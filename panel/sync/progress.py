"""The progress of a pass: its next try goes on behind the last person whom the failed one reached.

Progress is in the memory of the process that executes passes. After its death everybody is looked
at once more.
"""

from collections.abc import Sequence

from panel.data.directory import Known
from panel.sync.people import DesiredPerson

MOST_ORGANIZATIONS = 1000  # remembered at once


class Progress:
    """The people of each organization who were brought in line since its last good pass, with the
    values they had then.

    No lock is needed: an organization has one running pass, and those of different ones share no
    entry.
    """

    def __init__(self) -> None:
        self._reached: dict[int, dict[str, tuple[Known, DesiredPerson]]] = {}

    def list_left(self, known: Known, people: Sequence[DesiredPerson]) -> list[DesiredPerson]:
        """The people who were not reached yet, or whose values have changed since."""
        reached = self._reached.get(known.id, {})
        return [person for person in people if reached.get(person.key) != (known, person)]

    def count(self, organization: int) -> int:
        """How many were reached so far."""
        return len(self._reached.get(organization, {}))

    def note(self, known: Known, person: DesiredPerson) -> None:
        """Note that this person is in line."""
        while len(self._reached) >= MOST_ORGANIZATIONS and known.id not in self._reached:
            self._reached.pop(next(iter(self._reached)))
        self._reached.setdefault(known.id, {})[person.key] = (known, person)

    def forget(self, organization: int) -> None:
        """The pass is over, well or not: the next one looks at everybody."""
        self._reached.pop(organization, None)
