"""HOLDINGS: our tables' rows about a person or an organization; docs/data.md says for how long.

A table that is not here holds no data of them; `EXEMPT` describes its content. A test compares both
with the schema, so a new table needs a row here or there, and one in docs/data.md.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, false, or_

from panel.data.audit_log import TRIED, UNCOVERED, UNVERIFIED, VERIFIED, access_log
from panel.data.directory_tables import further_contacts, organizations, people
from panel.data.inbox import WAITING, hooks, passes
from panel.data.links import CONTACT, CONVERSATION, links
from panel.data.notes import private_notes
from panel.data.readings import readings
from panel.data.search_index import BY_EMAIL, BY_PHONE, fold, terms
from panel.data.sightings import sightings
from panel.data.tasks import NAMING, REPAIR, WARMING, tasks
from panel.data.verification_tries import verification_tries
from panel.data.verifications import verifications
from panel.models.phones import write_forms


@dataclass(frozen=True)
class Subject:
    """The subject of a request: an organization, or a person with all their keys.

    `emails` in lower case, `phones` in E.164; `contacts`, `conversations`: in Chatwoot's numbers;
    `seats`: (organization, key) in the directory.
    """

    organization: int = 0
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    contacts: frozenset[int] = frozenset()
    conversations: frozenset[int] = frozenset()
    seats: frozenset[tuple[int, str]] = frozenset()

    @property
    def organizations(self) -> set[int]:
        numbers = {organization for organization, _ in self.seats}
        return numbers | ({self.organization} if self.organization else set())

    @property
    def is_person(self) -> bool:
        return not self.organization


# Rows of the access log whose note an agent typed, or whose note names a person's answer.
WITH_REASONS = (UNCOVERED, VERIFIED, UNVERIFIED, TRIED)
Choose = Callable[[Subject], ColumnElement[bool]]


@dataclass(frozen=True)
class Holding:
    """A table; `of_person`, `of_organization`: conditions for the rows about a subject. `emptied`:
    columns that get this value while the row stays; without them the rows are deleted."""

    table: Table
    of_person: Choose
    of_organization: Choose
    emptied: dict[str, Any] = field(default_factory=dict)

    def choose(self, subject: Subject) -> ColumnElement[bool]:
        return self.of_person(subject) if subject.is_person else self.of_organization(subject)


def _nobodys(_: Subject) -> ColumnElement[bool]:
    return false()


def _by(table: Table, column: str = "organization") -> Choose:
    return lambda subject: table.c[column] == subject.organization


def _seats(table: Table) -> Choose:
    def choose(subject: Subject) -> ColumnElement[bool]:
        seats = [
            and_(table.c.organization == organization, table.c.key == key)
            for organization, key in sorted(subject.seats)
        ]
        return or_(false(), *seats)

    return choose


def _links_of(subject: Subject) -> ColumnElement[bool]:
    contacts = sorted(subject.contacts)
    return or_(
        and_(links.c.scope == CONTACT, links.c.subject.in_(contacts)),
        and_(links.c.scope == CONVERSATION, links.c.subject.in_(sorted(subject.conversations))),
        links.c.contact.in_(contacts),
        links.c.email.in_(sorted(subject.emails)),
        links.c.phone.in_(sorted(subject.phones)),
    )


def _words_of(subject: Subject) -> ColumnElement[bool]:
    """The search words of a person; a pass writes them again where somebody else has the same."""
    forms = {form for phone in subject.phones for form in write_forms(phone)}
    emails = {fold(email) for email in subject.emails}
    return or_(
        and_(terms.c.kind == BY_EMAIL, terms.c.word.in_(sorted(emails))),
        and_(terms.c.kind == BY_PHONE, terms.c.word.in_(sorted(forms))),
    )


def _contacts_of(table: Table) -> Choose:
    return lambda subject: table.c.contact.in_(sorted(subject.contacts))


def _reasons_of(subject: Subject) -> ColumnElement[bool]:
    """Select typed reasons: those of the person's conversations, and those that contain a key of
    theirs."""
    keys = sorted(subject.emails | subject.phones)
    with_key = [access_log.c.note.regexp_match(_make_whole(key)) for key in keys]
    in_conversation = access_log.c.conversation.in_(sorted(subject.conversations))
    return and_(access_log.c.what.in_(WITH_REASONS), or_(in_conversation, *with_key))


def _make_whole(key: str) -> str:
    """Return a pattern that matches this key alone, in SQLite and PostgreSQL. A plain search for
    `ana@acme.com` would match `mariana@acme.com` and `ana@acme.com.br`, which are keys of other
    people."""
    return rf"(?i)(?<![\w.+-]){re.escape(key)}(?![\w-]|\.\w)"


def _tasks_of(subject: Subject) -> ColumnElement[bool]:
    return or_(
        and_(tasks.c.kind == REPAIR, tasks.c.number.in_(sorted(subject.contacts))),
        and_(tasks.c.kind == NAMING, tasks.c.number.in_(sorted(subject.conversations))),
    )


HOLDINGS = (
    Holding(people, _seats(people), _by(people)),
    Holding(further_contacts, _seats(further_contacts), _by(further_contacts)),
    Holding(organizations, _nobodys, _by(organizations, "id")),
    Holding(links, _links_of, _by(links)),
    Holding(terms, _words_of, _by(terms)),
    Holding(sightings, _contacts_of(sightings), _nobodys),
    Holding(readings, _nobodys, _by(readings)),
    Holding(
        verifications,
        lambda whose: or_(
            verifications.c.contact.in_(sorted(whose.contacts)),
            verifications.c.conversation.in_(sorted(whose.conversations)),
        ),
        _by(verifications),
    ),
    Holding(verification_tries, _contacts_of(verification_tries), _by(verification_tries)),
    Holding(
        private_notes,
        lambda whose: private_notes.c.conversation.in_(sorted(whose.conversations)),
        _nobodys,
    ),
    Holding(
        access_log,
        _reasons_of,
        lambda whose: and_(
            access_log.c.organization == whose.organization, access_log.c.what.in_(WITH_REASONS)
        ),
        emptied={"note": ""},
    ),
    Holding(
        hooks,
        _nobodys,
        lambda whose: and_(hooks.c.organization == whose.organization, hooks.c.status != WAITING),
    ),
    Holding(
        passes, _nobodys, _by(passes), emptied={"reason": None, "side": None, "tried_at": None}
    ),
    Holding(
        tasks,
        _tasks_of,
        lambda whose: or_(
            tasks.c.organization == whose.organization,
            and_(tasks.c.kind == WARMING, tasks.c.number == whose.organization),
        ),
    ),
)
# Tables that hold nothing of a customer, and what they hold.
EXEMPT = {
    "agent_generations": "numbers of agents",
    "attempts": "keyed digests, for minutes",
    "deliveries": "counts",
    "erasure_key": "a random key",
    "erasures": "keyed digests and numbers",
    "installation": "of this installation",
    "nights": "counts",
    "preferences": "how agents order their sections",
    "workers": "names of our own machines",
}
