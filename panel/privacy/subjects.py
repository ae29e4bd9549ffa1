"""The subject of a request: all keys by which our tables and Chatwoot know a person."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Engine, or_, select

from panel.data.db import transaction
from panel.data.directory import Directory, Person, further_contacts, people
from panel.data.forgotten import Candidacy
from panel.data.links import CONVERSATION, links
from panel.errors import Missing
from panel.models.phones import normalize_phone
from panel.models.text import normalize_email
from panel.privacy.holdings import Subject
from panel.services import Services
from panel.upstream.chatwoot import Contact

ROUNDS = 2  # of the search: an e-mail leads to contacts, whose e-mails may lead to further seats


def find_person(shared: Services, email: str = "", contact: int = 0) -> Subject:
    """Find the person with this e-mail, or of this contact. Raises `PanelError`."""
    emails, contacts = {email} - {""}, {contact} - {0}
    seats: dict[tuple[int, str], Person] = {}
    phones: set[str] = set()
    for _ in range(ROUNDS):
        contacts |= _find_contacts(shared, emails)
        for person in _list_people(shared.database, emails, contacts):
            seats[person.organization, person.key] = person
            contacts |= {person.contact} - {0}
            emails |= {value for value in (person.email, person.former_email) if value}
        for contact_now in _read_contacts(shared, contacts):
            emails |= {value for value in [normalize_email(contact_now.email)] if value}
            phones |= {value for value in [normalize_phone(contact_now.phone)] if value}
    owners = [person for person in seats.values() if not person.phone_shared]
    phones |= {person.phone for person in owners if person.phone}
    contacts |= _list_further(shared.database, seats)
    return Subject(
        emails=frozenset(emails),
        phones=frozenset(phone for phone in phones if _is_theirs(shared, phone, seats)),
        contacts=frozenset(contacts),
        conversations=frozenset(list_conversations(shared, contacts)),
        seats=frozenset(seats),
    )


def _find_contacts(shared: Services, emails: Iterable[str]) -> set[int]:
    contacts = [shared.chatwoot.find_contact("email", email) for email in sorted(emails)]
    return {contact.id for contact in contacts if contact}


def _read_contacts(shared: Services, contacts: Iterable[int]) -> Iterator[Contact]:
    for number in sorted(contacts):
        try:
            yield shared.chatwoot.contact(number)
        except Missing:
            continue  # it was deleted in Chatwoot already


def _list_people(engine: Engine, emails: set[str], contacts: set[int]) -> list[Person]:
    condition = or_(
        people.c.email.in_(sorted(emails)),
        people.c.former_email.in_(sorted(emails)),
        people.c.contact.in_(sorted(contacts)),
    )
    with transaction(engine) as connection:
        return [
            Person(**row) for row in connection.execute(select(people).where(condition)).mappings()
        ]


def _list_further(engine: Engine, seats: Iterable[tuple[int, str]]) -> set[int]:
    keys = set(seats)
    with transaction(engine) as connection:
        rows = connection.execute(select(further_contacts))
        return {row.contact for row in rows if (row.organization, row.key) in keys}


def _is_theirs(shared: Services, phone: str, seats: Iterable[tuple[int, str]]) -> bool:
    """Tell whether the phone is this person's alone: a shared number is not forgotten with them."""
    holders = {
        (person.organization, person.key) for person in shared.directory.find_people("", phone)
    }
    return holders <= set(seats)


def list_conversations(shared: Services, contacts: Iterable[int]) -> set[int]:
    """Return the conversations of these contacts, from Chatwoot and from our links."""
    numbers: set[int] = set()
    for number in sorted(contacts):
        try:
            numbers |= {
                conversation.id for conversation in shared.chatwoot.list_conversations(number)
            }
        except Missing:
            continue
    linked = select(links.c.subject).where(
        links.c.scope == CONVERSATION, links.c.contact.in_(sorted(contacts))
    )
    with transaction(shared.database) as connection:
        return numbers | set(connection.scalars(linked))


# -- after a restore -----------------------------------------------------------------------------


def list_returned(engine: Engine, directory: Directory) -> Iterator[Subject]:
    """Yield the forgotten people and organizations that a restored database has again."""
    for number in directory.list_organizations():
        if directory.forgotten.covers_organization(number):
            yield Subject(organization=number)
            continue
        people_by_key = directory.people_of(number)
        candidates = [_make_candidacy(key, person) for key, person in people_by_key.items()]
        for key in sorted(directory.forgotten.find_covered(number, candidates)):
            yield _make_subject(people_by_key[key])
    yield from _list_returned_links(engine, directory)


def _make_candidacy(key: str, person: Person) -> Candidacy:
    return Candidacy(key, person.email, None if person.phone_shared else person.phone)


def _make_subject(person: Person) -> Subject:
    return Subject(
        emails=frozenset({person.email} if person.email else ()),
        phones=frozenset({person.phone} if person.phone and not person.phone_shared else ()),
        contacts=frozenset({person.contact} - {0}),
        seats=frozenset({(person.organization, person.key)}),
    )


def _list_returned_links(engine: Engine, directory: Directory) -> Iterator[Subject]:
    """Yield forgotten people whose keys stand in links: a link has a copy of the keys that the
    contact had when the agent decided."""
    copied = or_(links.c.email.is_not(None), links.c.phone.is_not(None))
    columns = select(links.c.contact, links.c.email, links.c.phone).where(copied).distinct()
    with transaction(engine) as connection:
        rows = list(connection.execute(columns))
    candidates = [
        Candidacy(str(place), normalize_email(row.email), normalize_phone(row.phone))
        for place, row in enumerate(rows)
    ]
    for place in directory.forgotten.find_covered(0, candidates):
        row = rows[int(place)]
        yield Subject(
            emails=frozenset({row.email} - {None}),
            phones=frozenset({row.phone} - {None}),
            contacts=frozenset({row.contact} - {0}),
        )
