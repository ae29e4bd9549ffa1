"""The texts about a record that an agent copies, or writes as a private note.

The texts are made on request, so that no row carries them. The sentence is in the customer's
language and follows the mask of the conversation's trust: a value that the agent uncovered for
their own eyes is not in it.
"""

from dataclasses import dataclass

from flask import Response, make_response, render_template, request

from panel.auth.seal import Seal
from panel.auth.tokens import SHARED_SECRET
from panel.cache.policy import CacheControl
from panel.customer.lookup import parse_number
from panel.customer.noting import NoteUnsettled
from panel.customer.noting import write_note as write_note_once
from panel.errors import Missing, PanelError
from panel.services import services
from panel.web.formats import Formats, choose_locale
from panel.web.rendering import (
    choose_formats,
    choose_status,
    find_masked,
    open_seal,
    open_seal_in_time,
    proves_agents,
    refuse_unproven_agent,
)
from panel.web.section_rendering import read_moment
from panel.web.sections import SECTIONS
from panel.web.selection import Item
from panel.web.sentences import NAMES, SentenceContext, make_sentence


@dataclass(frozen=True)
class Copies:
    """`called`: the name in its row; `sentence`: empty where there is nothing to say.

    `language`: of the sentence, for the attribute `lang`.
    """

    section: str
    record: int
    number: str
    called: str
    sentence: str
    language: str


def show_copies(section: str, record: int) -> Response:
    seal, _ = open_seal_in_time()
    try:
        copies, error = _make_copies(seal, section, record), None
    except PanelError as refusal:
        copies, error = None, refusal
    status = choose_status(error) if error else 200
    return make_response(
        render_template("copies.html", copies=copies, error=error, seal=seal), status
    )


def write_note() -> Response:
    """The form names a record, and the server writes the text about it."""
    if not proves_agents():
        return refuse_unproven_agent()
    seal = open_seal()
    if seal.proof == SHARED_SECRET:
        return refuse_unproven_agent()
    code, status = "", 200
    try:
        section = request.form.get("section", "")
        copies = _make_copies(seal, section, parse_number(request.form, "record"))
        if not copies.sentence:
            return make_response({"error": {"code": "nothing_to_say"}}, 422)
        record = (copies.section, copies.record)
        outcome = write_note_once(services(), seal, record, copies.sentence)
    except PanelError as error:
        outcome = "unsettled" if isinstance(error, NoteUnsettled) else "failed"
        code, status = error.code, choose_status(error)
    return make_response(render_template("note.html", outcome=outcome, code=code), status)


def _make_copies(seal: Seal, section: str, record: int) -> Copies:
    """Raises `Missing` where the seal's organization has no such record."""
    if section not in NAMES or not seal.organization:
        raise Missing("no_such_section")
    item = _find_item(seal, section, record)
    if item is None:
        raise Missing("no_such_record")
    fmt = _choose_customers_formats(seal)
    context = SentenceContext(read_moment(), fmt, find_masked(seal.trust))
    number = getattr(item.record, "number", None) or str(record)
    called = getattr(item.record, "product", None) or number
    sentence = make_sentence(section, item, context)
    return Copies(section, record, number, called, sentence, fmt.language)


def _find_item(seal: Seal, name: str, record: int) -> Item | None:
    section = SECTIONS[name]
    control = CacheControl.STALE_WHILE_REVALIDATE
    reading = services().back_office.read(section.document, seal.organization, control)
    selection = section.choose(reading.value, read_moment())
    return next(
        (item for item in (*selection.items, *selection.closed) if item.record.id == record), None
    )


def _choose_customers_formats(seal: Seal) -> Formats:
    """Choose the conversation's or the contact's language; without one, that of the panel."""
    own = choose_formats()
    try:
        talk = services().chatwoot.conversation(seal.conversation, CacheControl.FRESH)
    except PanelError:
        return own
    return Formats(choose_locale(talk.languages, otherwise=own.locale), own.zone)
