"""Verification: an agent finds out whether the person of a conversation belongs to the company.

An answer is compared here, on the server. A contact has five tries for an organization in 24 hours;
wrong searches for such values count as tries. A value that the panel has uncovered proves nobody:
the agent may have read it there. A call, and an agent's word that they know the person, are no
guesses and are not counted. Every verification leaves a row in the access log before anything is
opened or told, and no row holds the typed text.

A verification is not written into Chatwoot, where the visitor could read it and it would stay. The
pick of a company is written there once the person has shown that they belong to it, as where the
channel proves them.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from panel.auth.seal import Seal
from panel.auth.tokens import SHARED_SECRET
from panel.auth.verification_checks import digest_present_keys
from panel.cache.policy import CacheControl
from panel.customer.answers import (
    BY_ADDRESS,
    BY_KEY,
    BY_TAX,
    Agreement,
    Facts,
    compare_answer,
    find_gap,
    guess_kind,
    read_facts,
)
from panel.customer.lookup import Visit
from panel.customer.matching import PROVEN, read_keys
from panel.data import audit_log
from panel.data.audit_log import AuditEntry
from panel.data.db import transaction
from panel.data.links import withdraw_disclosed
from panel.data.search_index import fold
from panel.data.verification_tries import digest_beginnings, note_search, take_try
from panel.data.verifications import (
    BY_ACQUAINTANCE,
    BY_CALL,
    HOLDS_SECONDS,
    Verification,
    delete_opening,
    make_token,
    write_verifications,
)
from panel.errors import GiveUp, PanelError
from panel.models.organizations import Organization
from panel.services import Services
from panel.upstream.chatwoot import RESOLVED
from panel.upstream.documents import LICENSES, ORGANIZATION

log = logging.getLogger(__name__)

AGENT_UNPROVEN = "agent not proven"
LONGEST_ANSWER = 200
# The kinds of answer that an uncovered section shows.
UNCOVERED_KINDS = {LICENSES.name: (BY_KEY,), ORGANIZATION.name: (BY_TAX, BY_ADDRESS)}
UNCOVERED_SECONDS = 24 * 3600.0
# The reasons why a right answer opened nothing.
ONLY_HINT, SHOWN_BEFORE = "only_hint", "shown_before"
ACQUAINTANCE_LENGTHS = range(3, 151)


class NotVerified(GiveUp):
    """The verification opened nothing. `code`: `wrong`, `too_many_tries` (with `retry_at`),
    `no_answer`, `no_reason`, `no_call`, `resolved`, or why the back office could not be asked."""


@dataclass(frozen=True)
class Attempt:
    """A try: the company and the conversation, as they are at this moment."""

    visit: Visit
    organization: int
    digest: str
    facts: Facts


class Verifier:
    """Its methods raise `NotVerified`, or `PanelError` when Chatwoot or the database is silent."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def begin(self, visit: Visit, organization: int) -> Attempt:
        """Prepare any of the ways to verify; nothing is compared yet."""
        if visit.conversation.status == RESOLVED:
            raise NotVerified("resolved")
        digest = digest_present_keys(
            self._services.settings.secret, self._services.chatwoot, visit.conversation.contact
        )
        return Attempt(visit, organization, digest, read_facts(self._services, organization))

    def check_answer(self, attempt: Attempt, answer: str) -> str:
        """Compare the answer. Returns why a right one opened nothing; empty where it proves the
        person."""
        answer = " ".join(answer.split())
        if not answer or len(answer) > LONGEST_ANSWER:
            raise NotVerified("no_answer")
        if gap := find_gap(answer, attempt.facts):
            # No kind is compared then: a guess that costs no try could be repeated for ever.
            raise NotVerified(gap)
        right = compare_answer(answer, attempt.facts)
        rows, shown_kinds = self._count(attempt, answer, right)
        if not right:
            raise NotVerified("wrong")
        if any(row.opens for row in rows):
            return ""
        return SHOWN_BEFORE if shown_kinds else ONLY_HINT

    def _count(
        self, attempt: Attempt, answer: str, right: Sequence[Agreement]
    ) -> tuple[list[Verification], list[str]]:
        """Store the try, the verifications that it brings, and its log rows in one transaction.

        Returns the verifications, and the kinds that were right but bring none, because the panel
        has uncovered them.
        """
        visit, organization = attempt.visit, attempt.organization
        uncovered_kinds = self.find_uncovered(visit, organization)
        shown_kinds = [agreement.kind for agreement in right if agreement.kind in uncovered_kinds]
        rows = [
            self._make_row(attempt, agreement.kind, agreement.number)
            for agreement in right
            if agreement.kind not in shown_kinds
        ]
        with transaction(self._services.database) as connection:
            until = take_try(connection, visit.conversation.contact.id, organization)
            note = _describe_try(guess_kind(answer), rows, until, shown_kinds)
            audit_log.write_entry(connection, _make_entry(visit.seal, organization, note))
            if until is None:
                self._keep(connection, attempt, rows)
        if until is not None:
            _report_refusal(visit.seal, organization)
            raise NotVerified("too_many_tries", retry_at=until)
        return rows, shown_kinds

    def find_uncovered(self, visit: Visit, organization: int) -> frozenset[str]:
        """Return the kinds of answer that the panel has uncovered within a day, in this
        conversation or for this agent."""
        sections = self._services.audit_log.find_uncovered(
            organization,
            visit.conversation.id,
            visit.agent.id,
            time.time() - UNCOVERED_SECONDS,
        )
        return frozenset(kind for name in sections for kind in UNCOVERED_KINDS.get(name, ()))

    def note_call(self, attempt: Attempt) -> None:
        """Note that the agent has called the registered phone and reached the person."""
        if BY_CALL not in self._services.settings.verify_by or not attempt.facts.phone:
            raise NotVerified("no_call")
        self._open(attempt, self._make_row(attempt, BY_CALL))

    def note_acquaintance(self, attempt: Attempt, reason: str) -> None:
        """Note that the agent knows the person."""
        reason = " ".join(reason.split())
        if len(reason) not in ACQUAINTANCE_LENGTHS or not reason.isprintable():
            raise NotVerified("no_reason")
        self._open(attempt, self._make_row(attempt, BY_ACQUAINTANCE, reason))

    def take_back(self, visit: Visit, organization: int) -> list[str]:
        """Undo the verification: the values are closed for every agent at once. Hints stay.

        Returns the scopes of picks that were written into Chatwoot because of it.
        """
        conversation, contact = visit.conversation.id, visit.conversation.contact.id
        with transaction(self._services.database) as connection:
            if not delete_opening(connection, conversation, organization):
                return []
            entry = _make_entry(visit.seal, organization, "", audit_log.UNVERIFIED)
            audit_log.write_entry(connection, entry)
            return withdraw_disclosed(connection, conversation, contact, organization)

    def find_company(self, organization: int) -> Organization | None:
        """Return the company as the back office has it; None where it cannot be asked now."""
        control = CacheControl.STALE_WHILE_REVALIDATE
        try:
            return self._services.back_office.read(ORGANIZATION, organization, control).value
        except PanelError:
            return None

    def count_search(self, seal: Seal, query: str) -> None:
        """Count a search without results as a wrong try, where its value would verify somebody."""
        kind = guess_kind(query)
        if not kind or not seal.organization or seal.trust == PROVEN:
            return
        secret, owner = self._services.settings.secret, (seal.contact, seal.organization)
        digests = digest_beginnings(secret, fold("".join(query.split())))
        with transaction(self._services.database) as connection:
            if note_search(connection, *owner, digests):
                return
            until = take_try(connection, *owner)
            note_search(connection, *owner, digests)  # the first try has only now made the row
            # A search is answered also when no try is left: the row must not say otherwise.
            suffix = "" if until is None else ": no try was left"
            note = _describe_try(kind, [], None) + ", by search" + suffix
            audit_log.write_entry(connection, _make_entry(seal, seal.organization, note))

    # -- what is kept ----------------------------------------------------------------------------

    def _open(self, attempt: Attempt, row: Verification) -> None:
        with transaction(self._services.database) as connection:
            self._keep(connection, attempt, [row])

    def _keep(self, connection: Connection, attempt: Attempt, rows: Sequence[Verification]) -> None:
        write_verifications(connection, rows)
        for row in rows:
            if row.opens:
                doubt = "" if row.agent_proven else AGENT_UNPROVEN
                reason = row.note if row.kind == BY_ACQUAINTANCE else ""
                note = ": ".join(filter(None, (row.kind, doubt, reason)))
                seal = attempt.visit.seal
                entry = _make_entry(seal, row.organization, note, audit_log.VERIFIED)
                audit_log.write_entry(connection, entry)

    def _make_row(self, attempt: Attempt, kind: str, note: str = "") -> Verification:
        visit, now = attempt.visit, time.time()
        return Verification(
            conversation=visit.conversation.id,
            organization=attempt.organization,
            kind=kind,
            token=make_token(),
            opens=kind == BY_ACQUAINTANCE or self._proves(attempt, kind),
            note=note,
            contact=visit.conversation.contact.id,
            digest=attempt.digest,
            agent=visit.agent.id,
            agent_proven=visit.seal.proof != SHARED_SECRET,
            at=now,
            until=now + HOLDS_SECONDS,
        )

    def _proves(self, attempt: Attempt, kind: str) -> bool:
        """The setting decides which kinds prove. Where the company knows the contact's own e-mail,
        an e-mail proves nothing: the visitor has typed it."""
        if kind == BY_ADDRESS:
            email = read_keys(attempt.visit.conversation.contact).email
            if email in attempt.facts.emails:
                return False
        return kind in self._services.settings.verify_by


def _describe_try(
    guessed: str, rows: Sequence[Verification], until: float | None, shown_kinds: Sequence[str] = ()
) -> str:
    """Return kind and outcome, never the typed text."""
    names = [row.kind if row.opens else f"{row.kind} (a hint)" for row in rows]
    kinds = ", ".join([*names, *(f"{kind} (uncovered before)" for kind in shown_kinds)])
    if until is not None:
        return f"{guessed or 'text'} not compared: too many tries"
    return f"{kinds} right" if kinds else f"{guessed or 'text'} wrong"


def _report_refusal(seal: Seal, organization: int) -> None:
    ids = {"organization": organization, "conversation": seal.conversation, "agent": seal.agent}
    log.warning("an answer was not compared: too many tries", extra={"fields": ids})


def _make_entry(
    seal: Seal, organization: int, note: str, what: str = audit_log.TRIED
) -> AuditEntry:
    return AuditEntry(what, seal.agent, seal.conversation, organization, seal.proof, note=note)
