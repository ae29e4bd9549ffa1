"""The search for contacts in Chatwoot by e-mail or phone: many people in one request.

Chatwoot's filter joins conditions by OR, so an organization of twelve people is one call, and each
phone is asked for in all its spellings. The answer may be outdated when we write, so a contact is
first read again under its lock.
"""

from collections.abc import Sequence

from panel.errors import PanelError
from panel.models.phones import list_spellings
from panel.models.text import normalize_email
from panel.sync.people import DesiredPerson
from panel.upstream.chatwoot import PAGE_CONTACTS, Chatwoot, Condition, Contact

# People in a request. Mostly a person has one contact, and the contacts of all shall fit into one
# page.
ASKED_AT_ONCE = 12
MOST_PERSON_PAGES = 20  # pages of one person's contacts


class ContactSearch:
    """The contacts of the people of one pass. Every method raises `PanelError`."""

    def __init__(self, chatwoot: Chatwoot, people: Sequence[DesiredPerson]) -> None:
        self._chatwoot = chatwoot
        self._found: dict[str, list[Contact]] = {}
        starts = range(0, len(people), ASKED_AT_ONCE)
        self._groups = {
            person.key: people[at : at + ASKED_AT_ONCE]
            for at in starts
            for person in people[at : at + ASKED_AT_ONCE]
        }

    def find(self, person: DesiredPerson) -> list[Contact]:
        """Return every contact of this person: first those with the e-mail, then those with the
        phone alone.

        After a failed request its people are searched one by one, so that one of them fails alone.
        """
        if person.key not in self._found:
            group = self._groups[person.key]
            try:
                self._ask(group)
            except PanelError:
                self._groups |= {member.key: [member] for member in group}
                raise
        return self._found[person.key]

    def find_anew(self, person: DesiredPerson) -> list[Contact]:
        """Like `find`, with a new search."""
        self._ask([person])
        return self._found[person.key]

    def _ask(self, group: Sequence[DesiredPerson]) -> None:
        conditions = [condition for person in group for condition in _list_conditions(person)]
        rows, total = self._chatwoot.find_contacts(conditions) if conditions else ([], 0)
        if total > PAGE_CONTACTS and len(group) > 1:
            # Chatwoot promises no order of pages. So the people of a result with several pages are
            # searched in two halves.
            middle = len(group) // 2
            self._ask(group[:middle])
            self._ask(group[middle:])
            return
        for page in range(2, MOST_PERSON_PAGES + 1):
            if len(rows) >= total:
                break
            rows += self._chatwoot.find_contacts(conditions, page)[0]
        for person in group:
            self._found[person.key] = choose_contacts(person, rows)


def _list_conditions(person: DesiredPerson) -> list[Condition]:
    emails = [Condition("email", person.email)] if person.email else []
    phones = list_spellings(person.own_phone) if person.own_phone else ()
    return [*emails, *(Condition("phone_number", spelling) for spelling in phones)]


def choose_contacts(person: DesiredPerson, rows: Sequence[Contact]) -> list[Contact]:
    """Choose the person's contacts among the rows, the surest first."""
    contacts = {contact.id: contact for contact in rows if find_key(person, contact)}
    return sorted(
        contacts.values(), key=lambda contact: (find_key(person, contact) != "email", contact.id)
    )


def find_key(person: DesiredPerson, contact: Contact) -> str:
    """Return the key by which the contact is this person's: `email`, `phone`, or an empty text.

    A contact with the person's phone and another e-mail is somebody else's. Chatwoot also finds
    look-alikes, which are other people.
    """
    email = normalize_email(contact.email)
    if person.email and email == person.email:
        return "email"
    spellings = list_spellings(person.own_phone) if person.own_phone else ()
    return "phone" if contact.phone in spellings and not (email and person.email) else ""
