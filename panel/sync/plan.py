"""What a pass was told, and what it makes of it before anything is written."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from panel.data.directory import Known, Person
from panel.data.readings import Readings
from panel.data.search_index import make_terms
from panel.data.sightings import Sightings, make_digest
from panel.models.licenses import Entitlement
from panel.models.organizations import Collaborator, Organization
from panel.sync.people import DesiredPerson, list_people, list_sharers, weigh
from panel.upstream.documents import Listed


@dataclass(frozen=True)
class Notes:
    """What is noted of past passes and nights, so that the next ones have less to read."""

    readings: Readings
    sightings: Sightings


@dataclass(frozen=True)
class Told:
    """What the back office says, beside the people whom the last pass knew."""

    truth: Organization
    people: Listed[Collaborator]
    owned: Listed[Entitlement]
    before: dict[str, Person]

    @property
    def is_whole(self) -> bool:
        """Is who is not in the list not there? An empty list is no evidence that everybody left: a
        broken plugin answers so too. Nor is one that names fewer people than it counts, or has
        records that cannot be read."""
        return bool(self.people.rows) and self.people.whole


@dataclass(frozen=True)
class Plan:
    """What a pass does with what it was told; `former`: what the last pass knew.

    `elsewhere`: people of other organizations with the same phones; `words`: of the search.
    """

    truth: Organization
    former: Known | None
    known: Known
    wanted: list[DesiredPerson]
    elsewhere: list[Person]
    words: dict[str, str]

    def digest(self, told: Told) -> str:
        """The same while a further pass would have nothing to do."""
        sharers = list_sharers(self.truth, told.people.rows, self.elsewhere)
        return make_digest([self.known, self.wanted, sharers, self.words, told.is_whole])


def list_wanted(
    truth: Organization, told: Told, elsewhere: Collection[Person]
) -> list[DesiredPerson]:
    """The people of the list; nobody's role falls by one that is not whole."""
    wanted = list_people(truth, told.people.rows, told.before, told.is_whole, elsewhere)
    if told.is_whole:
        return wanted
    return [_keep_role(each, told.before.get(each.key)) for each in wanted]


def _keep_role(wanted: DesiredPerson, stored: Person | None) -> DesiredPerson:
    return replace(wanted, role=min(wanted.role, stored.role, key=weigh)) if stored else wanted


def make_words(
    truth: Organization,
    known: Known,
    wanted: list[DesiredPerson],
    entitlements: tuple[Entitlement, ...],
) -> dict[str, str]:
    return make_terms(
        truth.id,
        [truth.name, truth.legal_name],
        truth.tax_id,
        [known.email, *(each.email for each in wanted)],
        [known.phone, *(each.phone for each in wanted)],
        [each.code for each in entitlements],
    )
