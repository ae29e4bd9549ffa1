"""Which contacts in Chatwoot show the e-mail or the phone of somebody: many people in one question.

Chatwoot's filter joins conditions by OR, so an organization of twelve people is one call, and each
phone is asked for in all its spellings. What it answers is older than what is written later: a
contact that is to be changed is read again behind its lock.
"""

from collections.abc import Sequence

from panel.errors import PanelError
from panel.models.phones import list_spellings
from panel.models.text import normalize_email
from panel.sync.people import DesiredPerson
from panel.upstream.chatwoot import PAGE_CONTACTS, Chatwoot, Condition, Contact

# People in a question: mostly each has one contact, and all of those shall fit into one page.
ASKED_AT_ONCE = 12
MOST_PERSON_PAGES = 20  # of one person's contacts


class ContactSearch:
    """What one pass looks for. Every method raises `PanelError`."""

    def __init__(self, chatwoot: Chatwoot, people: Sequence[DesiredPerson]) -> None:
        self._chatwoot = chatwoot
        self._found: dict[str, list[Contact]] = {}
        starts = range(0, len(people), ASKED_AT_ONCE)
        self._groups = {
            each.key: people[at : at + ASKED_AT_ONCE]
            for at in starts
            for each in people[at : at + ASKED_AT_ONCE]
        }

    def find(self, person: DesiredPerson) -> list[Contact]:
        """Every contact of this person: who shows the e-mail, then who shows the phone alone.

        Of a question that fails, the others are asked for one by one: it is one person's failure.
        """
        if person.key not in self._found:
            group = self._groups[person.key]
            try:
                self._ask(group)
            except PanelError:
                self._groups |= {each.key: [each] for each in group}
                raise
        return self._found[person.key]

    def find_anew(self, person: DesiredPerson) -> list[Contact]:
        """As Chatwoot says it now."""
        self._ask([person])
        return self._found[person.key]

    def _ask(self, group: Sequence[DesiredPerson]) -> None:
        conditions = [each for person in group for each in _list_conditions(person)]
        rows, total = self._chatwoot.find_contacts(conditions) if conditions else ([], 0)
        if total > PAGE_CONTACTS and len(group) > 1:
            # No order of pages is promised: what is more than a page is asked in halves.
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
    return [*emails, *(Condition("phone_number", each) for each in phones)]


def choose_contacts(person: DesiredPerson, rows: Sequence[Contact]) -> list[Contact]:
    """Those of the contacts that are this person's, the surest first."""
    mine = {each.id: each for each in rows if find_key(person, each)}
    return sorted(mine.values(), key=lambda each: (find_key(person, each) != "email", each.id))


def find_key(person: DesiredPerson, contact: Contact) -> str:
    """The key by which the contact is this person's: `email`, `phone`, or none.

    Who is found by phone and shows another e-mail is somebody else. Look-alikes, which Chatwoot
    finds too, are other people.
    """
    shown = normalize_email(contact.email)
    if person.email and shown == person.email:
        return "email"
    spellings = list_spellings(person.own_phone) if person.own_phone else ()
    return "phone" if contact.phone in spellings and not (shown and person.email) else ""
