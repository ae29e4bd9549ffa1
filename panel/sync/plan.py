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
from panel.upstream.documents import RecordList


@dataclass(frozen=True)
class Notes:
    """Notes of past passes and nights, which save the next ones reads."""

    readings: Readings
    sightings: Sightings


@dataclass(frozen=True)
class BackOfficeAnswers:
    """The back office's answers, and the people as the last pass knew them."""

    truth: Organization
    people: RecordList[Collaborator]
    owned: RecordList[Entitlement]
    before: dict[str, Person]

    @property
    def is_whole(self) -> bool:
        """Tell whether absence from the list proves that a person left. An empty list proves
        nothing, because a broken plugin answers so too. A list with illegible records, or with
        fewer people than it counts, proves nothing either."""
        return bool(self.people.rows) and self.people.whole


@dataclass(frozen=True)
class Plan:
    """The desired state of an organization; `former`: as the last pass knew it.

    `elsewhere`: people of other organizations with the same phones; `words`: those for the search
    index.
    """

    truth: Organization
    former: Known | None
    company: Known
    people: list[DesiredPerson]
    elsewhere: list[Person]
    words: dict[str, str]

    def digest(self, answers: BackOfficeAnswers) -> str:
        """Return a digest that stays the same as long as a further pass would have nothing to
        do."""
        sharers = list_sharers(self.truth, answers.people.rows, self.elsewhere)
        return make_digest([self.company, self.people, sharers, self.words, answers.is_whole])


def list_desired_people(
    truth: Organization, answers: BackOfficeAnswers, elsewhere: Collection[Person]
) -> list[DesiredPerson]:
    """Return the people of the list; an incomplete list lowers nobody's role."""
    people = list_people(truth, answers.people.rows, answers.before, answers.is_whole, elsewhere)
    if answers.is_whole:
        return people
    return [_keep_role(person, answers.before.get(person.key)) for person in people]


def _keep_role(person: DesiredPerson, stored: Person | None) -> DesiredPerson:
    return replace(person, role=min(person.role, stored.role, key=weigh)) if stored else person


def make_words(
    truth: Organization,
    company: Known,
    people: list[DesiredPerson],
    entitlements: tuple[Entitlement, ...],
) -> dict[str, str]:
    return make_terms(
        truth.id,
        [truth.name, truth.legal_name],
        truth.tax_id,
        [company.email, *(person.email for person in people)],
        [company.phone, *(person.phone for person in people)],
        [entitlement.code for entitlement in entitlements],
    )
