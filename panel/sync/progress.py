"""How far the tries of a pass have come: the next one goes on behind whom the last one reached.

In the memory of the process that executes passes. After its death everybody is looked at once more.
"""

from collections.abc import Sequence

from panel.data.directory import Known
from panel.sync.people import DesiredPerson

MOST_ORGANIZATIONS = 1000  # remembered at once


class Progress:
    """Who of an organization was brought in line, and as what, since its last good pass.

    One pass of an organization runs at a time, and passes of different ones share no entry.
    """

    def __init__(self) -> None:
        self._reached: dict[int, dict[str, tuple[Known, DesiredPerson]]] = {}

    def list_left(self, known: Known, wanted: Sequence[DesiredPerson]) -> list[DesiredPerson]:
        """Those who were not reached, or of whom anything is to be told otherwise now."""
        reached = self._reached.get(known.id, {})
        return [person for person in wanted if reached.get(person.key) != (known, person)]

    def count(self, organization: int) -> int:
        """How many were reached so far."""
        return len(self._reached.get(organization, {}))

    def note(self, known: Known, person: DesiredPerson) -> None:
        """This person is in line."""
        while len(self._reached) >= MOST_ORGANIZATIONS and known.id not in self._reached:
            self._reached.pop(next(iter(self._reached)))
        self._reached.setdefault(known.id, {})[person.key] = (known, person)

    def forget(self, organization: int) -> None:
        """The pass is over, well or not: the next one looks at everybody."""
        self._reached.pop(organization, None)
