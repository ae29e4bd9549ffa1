"""The desired state of people: their numbers, and whether a number belongs to one person alone."""

import pytest

from panel.models.organizations import Collaborator, Organization
from panel.sync.people import DesiredPerson, list_people

MOBILE = "+5561988884201"


def person(number: int, email: str | None, phone: str | None, role: str = "member") -> Collaborator:
    row = {"id": number, "email": email, "phone": phone, "role": role, "name": f"Person {number}"}
    return Collaborator.from_json(row)


def first(
    *people: Collaborator, country: str | None = "BR", phone: str | None = None
) -> DesiredPerson:
    company = Organization(42, "Acme", country=country, phone=phone)
    return list_people(company, people)[1]


def test_a_number_without_its_country_is_read_with_that_of_the_organization() -> None:
    assert (
        first(person(1, "a@acme.example", "(617) 755-1234"), country="US").phone == "+16177551234"
    )


@pytest.mark.parametrize(
    "other",
    [
        person(2, None, MOBILE),
        person(2, "b@acme.example", MOBILE, "pending"),
        person(2, "b@acme.example", MOBILE),
    ],
    ids=["without an e-mail", "invited", "another member"],
)
def test_a_number_that_the_back_office_names_twice_is_shared(other: Collaborator) -> None:
    first_person = first(person(1, "a@acme.example", MOBILE), other)
    assert first_person.phone_shared
    assert first_person.list_keys() == {"email": "a@acme.example"}


def test_a_number_that_only_one_person_has_is_theirs() -> None:
    first_person = first(person(1, "a@acme.example", MOBILE), person(2, "b@acme.example", None))
    assert not first_person.phone_shared
    assert first_person.list_keys()["phone_number"] == MOBILE
