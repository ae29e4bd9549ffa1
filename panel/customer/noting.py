"""Writing a private note into the conversation, once, however often it is asked for.

Our row comes first (`data.notes`), then Chatwoot. The next request asks Chatwoot for the note
before it writes it again: a process may have died in between, or a call may have ended without a
known outcome.
"""

import logging
import time

from panel.auth.seal import Seal
from panel.data import audit_log
from panel.data.audit_log import AuditEntry
from panel.data.notes import make_mark
from panel.errors import PanelError, TryLater, Unreachable, Unreadable, Unwell
from panel.services import Services

log = logging.getLogger(__name__)
WRITTEN, WRITTEN_BEFORE, BEING_WRITTEN = NOTE_OUTCOMES = (
    "written",
    "written_before",
    "being_written",
)
SKEW_SECONDS = 120.0  # by how much our clock and Chatwoot's may differ in the search for the note


class NoteUnsettled(TryLater):
    """The note may or may not be in Chatwoot; `code` says why."""


def write_note(services: Services, seal: Seal, record: tuple[str, int], text: str) -> str:
    """`record`: section and id. Returns one of `NOTE_OUTCOMES`.

    Raises `NoteUnsettled`, or another `PanelError`: then there is no note.
    """
    mark = make_mark(seal.conversation, *record, text)
    entry = AuditEntry(
        audit_log.NOTED,
        seal.agent,
        seal.conversation,
        seal.organization,
        seal.proof,
        note=" ".join(map(str, record)),
    )
    claim = services.notes.claim(entry, mark, time.time())
    if not claim.is_mine:
        return WRITTEN_BEFORE if claim.written_at else BEING_WRITTEN
    outcome = WRITTEN_BEFORE
    if not (claim.begun_at and _is_in_chatwoot(services, seal, mark, text, claim.begun_at)):
        _write(services, seal, mark, text)
        outcome = WRITTEN
    try:
        services.notes.settle(seal.conversation, mark, time.time())
    except PanelError as error:  # the note is in Chatwoot, where the next request finds it
        log.warning("a note was written, its row was not", extra={"fields": {"code": error.code}})
    return outcome


def _is_in_chatwoot(services: Services, seal: Seal, mark: str, text: str, begun_at: float) -> bool:
    """An older Chatwoot keeps no `source_id`: there, a private note with this text counts."""
    since = begun_at - SKEW_SECONDS
    try:
        messages = services.chatwoot.list_messages(seal.conversation, since)
    except PanelError as error:
        raise NoteUnsettled(error.code, error.detail, error.retry_at) from error
    return any(
        message.source == mark
        or (message.private and message.content == text and message.created_at >= since)
        for message in messages
    )


def _write(services: Services, seal: Seal, mark: str, text: str) -> None:
    try:
        services.chatwoot.create_note(seal.conversation, text, mark)
    except PanelError as error:
        if _may_have_arrived(error):
            raise NoteUnsettled(error.code, error.detail, error.retry_at) from error
        services.notes.release(seal.conversation, mark)
        raise


def _may_have_arrived(error: PanelError) -> bool:
    """Tell whether the call may have succeeded: it ended in silence, midway, or with an unreadable
    answer."""
    if error.code == "rate_limited" or error.code.startswith("http_4"):
        return False
    return isinstance(error, Unreachable | Unwell | Unreadable)
