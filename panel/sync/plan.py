"""The plan of a pass: the back office's answers, and the desired state that follows from them."""

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
    """Notes of past passes and nights, which save the next ones reads."""

    readings: Readings
    sightings: Sightings


@dataclass(frozen=True)
class Told:
    """The back office's answers, and the people as the last pass knew them."""

    truth: Organization
    people: Listed[Collaborator]
    owned: Listed[Entitlement]
    before: dict[str, Person]

    @property
    def is_whole(self) -> bool:
        """Does absence from the list prove that a person left? An empty list proves nothing: a
        broken plugin answers so too. Neither does a list that names fewer people than it counts, or
        has illegible records."""
        return bool(self.people.rows) and self.people.whole


@dataclass(frozen=True)
class Plan:
    """The desired state of an organization; `former`: as the last pass knew it.

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
    """The people of the list; an incomplete list lowers nobody's role."""
    people = list_people(truth, told.people.rows, told.before, told.is_whole, elsewhere)
    if told.is_whole:
        return people
    return [_keep_role(person, told.before.get(person.key)) for person in people]


def _keep_role(person: DesiredPerson, stored: Person | None) -> DesiredPerson:
    return replace(person, role=min(person.role, stored.role, key=weigh)) if stored else person


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
