"""The progress of a pass: after a failed try the next one goes on behind the last person that was
reached.

Progress is in the memory of the process that executes passes. After its death all people are
compared once more.
"""

from collections.abc import Sequence

from panel.data.directory import Known
from panel.sync.people import DesiredPerson

MOST_ORGANIZATIONS = 1000  # remembered at once


class Progress:
    """The people of each organization who were brought in line since its last good pass, with their
    values at that time.

    No lock is needed: an organization has one running pass, and passes of different organizations
    share no entry.
    """

    def __init__(self) -> None:
        self._reached: dict[int, dict[str, tuple[Known, DesiredPerson]]] = {}

    def list_left(self, company: Known, people: Sequence[DesiredPerson]) -> list[DesiredPerson]:
        """Return the people who were not reached yet, or whose values have changed since."""
        reached = self._reached.get(company.id, {})
        return [person for person in people if reached.get(person.key) != (company, person)]

    def count(self, organization: int) -> int:
        """Return the number of people who were reached so far."""
        return len(self._reached.get(organization, {}))

    def note(self, company: Known, person: DesiredPerson) -> None:
        """Note that this person is in line."""
        while len(self._reached) >= MOST_ORGANIZATIONS and company.id not in self._reached:
            self._reached.pop(next(iter(self._reached)))
        self._reached.setdefault(company.id, {})[person.key] = (company, person)

    def forget(self, organization: int) -> None:
        """Forget the progress at the end of a pass, good or not: the next pass compares all
        people."""
        self._reached.pop(organization, None)
