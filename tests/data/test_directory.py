"""The directory, asked by keys and by words: the same on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from panel.data import db, schema
from panel.data.directory import Directory, Keys, Known, Match, Person
from panel.data.links import CONTACT, MATCHED, PICKED, Link, Links, take_back
from panel.data.search_index import SearchIndex, make_terms


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    engine = db.connect(url)
    schema.migrate(engine)
    yield engine
    engine.dispose()


def known(number: int, email: str | None = None, phone: str | None = None) -> Known:
    return Known(number, f"Company {number}", None, None, None, email, phone, None, "none", 0, None)


def test_keys_find_people_and_companies_with_the_role_of_the_person(database: Engine) -> None:
    directory = Directory(database)
    directory.put_organization(known(42, "oi@acme.example", "+556133220042"))
    directory.put_organization(known(45, "ana@acme.example"))
    directory.put_person(
        Person(42, "collaborator:1", 301, "owner", "ana@acme.example", None, "user:1")
    )
    directory.put_person(Person(42, "organization", 300, "organization", None, "+556133220042"))
    assert directory.find_matches(Keys()) == []
    assert directory.find_matches(Keys("nobody@acme.example", "+5511")) == []
    assert directory.find_matches(Keys(email="ana@acme.example")) == [
        Match(42, "email", "owner", 1),
        Match(45, "email", "organization", 1),
    ]
    every = directory.find_matches(Keys("oi@acme.example", "+556133220042"))
    assert {(match.key, match.role) for match in every} == {
        ("email", "organization"),
        ("phone", "organization"),
    }
    assert set(directory.get_organizations([42, 99])) == {42}
    assert directory.get_organizations([]) == {}


PHONE = "+5561999990001"


@pytest.mark.parametrize(
    ("people", "count"),
    [
        ([], 1),  # the company alone
        ([(42, "collaborator:1", "ana@acme.example")], 1),  # the key is hers, not the company's
        ([(42, "collaborator:1", "ana@acme.example"), (42, "collaborator:2", "bia@x.example")], 2),
        ([(42, "collaborator:1", "ana@acme.example"), (43, "collaborator:3", "bia@x.example")], 2),
        (
            [
                (42, "collaborator:1", "ana@acme.example"),
                (43, "collaborator:3", "ana@acme.example"),
            ],
            1,
        ),
        ([(42, "collaborator:1", None), (43, "collaborator:1", None)], 2),
        ([(42, "organization", "oi@acme.example")], 1),  # the company's own seat is the company
        ([(43, "collaborator:1", "ana@acme.example")], 2),
        ([(43, "collaborator:1", "oi@acme.example")], 1),
    ],
)
def test_a_phone_is_known_for_so_many_people_over_all_organizations(
    database: Engine, people: list[tuple[int, str, str | None]], count: int
) -> None:
    directory = Directory(database)
    directory.put_organization(known(42, "oi@acme.example", PHONE))
    directory.put_organization(known(43))
    for at, (organization, key, email) in enumerate(people):
        role = "organization" if key == "organization" else "member"
        directory.put_person(Person(organization, key, 300 + at, role, email, PHONE))
    matches = directory.find_matches(Keys(phone=PHONE))
    assert {match.people for match in matches} == {count}
    assert {match.organization for match in matches} == {42, *(row[0] for row in people)}


SPELLINGS = [
    ("+5561988887777", "+556188887777"),
    ("+5491123456789", "+541123456789"),
    ("+525512345678", "+5215512345678"),
]


@pytest.mark.parametrize(("first", "other"), SPELLINGS)
def test_a_phone_is_known_in_every_spelling_and_is_one_persons(
    database: Engine, first: str, other: str
) -> None:
    directory = Directory(database)
    for stored, spelling in ((first, other), (other, first)):
        directory.put_organization(known(42))
        directory.put_person(Person(42, "collaborator:1", 301, "owner", "ana@x.example", stored))
        assert [person.key for person in directory.find_people("", spelling)] == ["collaborator:1"]
        (match,) = directory.find_matches(Keys(phone=spelling))
        assert (match.organization, match.role) == (42, "owner")
        directory.put_person(Person(43, "collaborator:9", 302, "owner", "zoe@x.example", spelling))
        assert {match.people for match in directory.find_matches(Keys(phone=spelling))} == {2}
        directory.forget(43)


def test_a_spelling_proves_no_more_than_the_back_offices_own(database: Engine) -> None:
    """Without the 9, an Argentine number is a landline's, whatever the contact shows."""
    directory = Directory(database)
    directory.put_organization(known(42))
    landline = Person(42, "collaborator:1", 301, "owner", "ana@x.example", "+541123456789")
    directory.put_person(landline)
    assert [match.people for match in directory.find_matches(Keys(phone="+5491123456789"))] == [2]
    directory.put_person(replace(landline, phone="+5491123456789"))
    assert [match.people for match in directory.find_matches(Keys(phone="+5491123456789"))] == [1]


# -- the contacts of a person ----------------------------------------------------------------------


def test_every_contact_of_a_person_is_one_of_the_organization(database: Engine) -> None:
    directory = Directory(database)
    directory.put_organization(known(42))
    ana = Person(42, "collaborator:1", 301, "owner", "ana@x.example", "+5561988887777")
    directory.put_person(ana)
    for _ in range(2):
        directory.add_contact(ana, 302)
    for number in (301, 302):
        assert directory.memberships_of(number) == [(known(42), replace(ana, contact=number))]
    assert directory.find_seated([301, 302, 303]) == {301, 302}
    assert directory.further_contacts_of(42) == {"collaborator:1": {302}}
    directory.remove_contact(42, "collaborator:1", 302)
    assert directory.memberships_of(302) == []
    directory.remove_contact(42, "collaborator:1", 301)
    assert directory.people_of(42)["collaborator:1"].contact == 0


def test_who_goes_takes_their_contacts_along(database: Engine) -> None:
    directory = Directory(database)
    directory.put_organization(known(42))
    for key in ("collaborator:1", "collaborator:2"):
        person = Person(42, key, 301, "owner", f"{key}@x.example")
        directory.put_person(person)
        directory.add_contact(person, 302)
    directory.remove_people(42, ["collaborator:1"])
    assert directory.further_contacts_of(42) == {"collaborator:2": {302}}
    directory.forget(42)
    assert (directory.further_contacts_of(42), directory.find_seated([301, 302])) == ({}, set())


def test_a_merge_ends_the_seats_of_every_organization(database: Engine) -> None:
    directory = Directory(database)
    for number in (42, 43):
        directory.put_organization(known(number))
        directory.put_person(Person(number, "collaborator:1", 301, "owner", "ana@x.example"))
    directory.note_merge(301, 400)
    assert directory.memberships_of(301) == []
    unsettled = directory.list_unsettled()
    assert [(item.organization, item.contact, item.merged_into) for item in unsettled] == [
        (42, 0, 400),
        (43, 0, 400),
    ]
    assert directory.list_unsettled(43) == unsettled[1:]


@pytest.mark.parametrize(
    ("contact", "email", "phone", "numbers"),
    [
        (301, "ana@x.example", "", set()),  # our own echo
        (302, "", "+556188887777", set()),
        (303, "", "+556188887777", {42}),
        (303, "ana@x.example", "", {42}),
        (303, "zoe@x.example", "+5561988887777", set()),  # the phone alone, of somebody else
        (302, "", "+5561988880000", {42}),  # the contact is no longer theirs
        (303, "", "+556133220042", set()),  # of several people
        (303, "", "", set()),
    ],
)
def test_a_pass_is_wanted_for_a_contact_that_it_would_seat_or_unseat(
    database: Engine, contact: int, email: str, phone: str, numbers: set[int]
) -> None:
    directory = Directory(database)
    directory.put_organization(known(42))
    ana = Person(42, "collaborator:1", 301, "owner", "ana@x.example", "+5561988887777")
    directory.put_person(ana)
    directory.add_contact(ana, 302)
    shared = Person(42, "collaborator:2", 304, "owner", "bia@x.example", "+556133220042")
    directory.put_person(replace(shared, phone_shared=True))
    assert directory.find_unseated(contact, email, phone) == numbers


def test_words_are_ordered_by_bytes_whatever_the_database_speaks(database: Engine) -> None:
    terms = SearchIndex(database)
    names = {1: "Ação Educação", 2: "acao-sul", 3: "Zênite", 4: "日本語学校", 5: "a_b c"}
    for number, name in names.items():
        terms.replace_terms(
            number, make_terms(number, [name], None, [f"x{number}@y.example"], [], [])
        )
        terms.replace_terms(
            number, make_terms(number, [name], None, [f"x{number}@y.example"], [], [])
        )

    def found(query: str) -> list[int]:
        return [hit.organization for hit in terms.find(query).rows]

    assert found("ACAO") == [1, 2]
    assert found("acao s") == [2]
    assert found("zen") == [3]
    assert found("日本") == [4]
    assert found("X5@y.example") == [5]
    assert found("@y.example") == [1, 2, 3, 4, 5]
    terms.forget(1)
    assert found("ação") == [2]


def test_ties_of_a_merged_contact_follow_it(database: Engine) -> None:
    links = Links(database)
    links.put(Link(CONTACT, 301, 42, PICKED, at=5.0, contact=301, email="ana@acme.example"))
    links.put(Link(CONTACT, 302, 42, MATCHED, at=9.0))
    links.follow_merge(301, 302)
    match_link, pick = links.find(0, 302)
    assert (pick.state, pick.contact, pick.email) == (PICKED, 302, "ana@acme.example")
    with db.transaction(database) as connection:
        assert [take_back(connection, [pick]) for _ in range(2)] == [[pick], []]
    assert links.find(0, 302) == [match_link]


def test_a_pick_over_a_pick_and_a_match_found_again(database: Engine) -> None:
    links = Links(database)
    for rests_on in ("email", "email", "phone"):
        links.match(301, 42, rests_on)
    for organization in (42, 45):
        links.put(Link(CONTACT, 301, organization, PICKED))
    rows = {(link.organization, link.state, link.rests_on) for link in links.find(0, 301)}
    assert rows == {(45, PICKED, ""), (42, MATCHED, "phone")}
