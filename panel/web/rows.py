"""The route of an opened row: the back office's facts about one record, or about a company's
people."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace

from flask import Response, make_response, render_template, request

from panel.auth.seal import Seal
from panel.cache.policy import CacheControl
from panel.customer.matching import PROVEN
from panel.data.verifications import BY_ACQUAINTANCE
from panel.errors import PanelError
from panel.models.organizations import ENTITIES
from panel.services import services
from panel.web.details import Details, Reader, mark_unchecked
from panel.web.panel import record_trouble
from panel.web.rendering import choose_status, find_masked_in, open_seal_in_time
from panel.web.row_readers import is_owner, read_details, sort_people
from panel.web.section_rendering import read_moment
from panel.web.sections import SECTIONS

RECORD_NUMBER = re.compile("[1-9][0-9]{0,17}")
LONGEST_PARAGRAPH = 2000  # characters of a paragraph
SEATED = "collaborator:"  # how the directory calls a person of an organization


def show_row(name: str, number: str) -> Response:
    """Show one record of the organization in the seal; any other record counts as unknown."""
    seal, is_checked = open_seal_in_time()
    section = SECTIONS.get(name)
    if section is None or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    record = int(number) if RECORD_NUMBER.fullmatch(number) else 0
    details = read_details(section, record, _make_reader(seal)) if record else None
    if details is None:
        return make_response(render_template("details/_gone.html", section=section), 404)
    details = replace(details, masked=find_masked_in(section, seal))
    details = details if is_checked else mark_unchecked(details)
    record_trouble(details, seal)
    return _answer(details, record, seal)


def _make_reader(seal: Seal) -> Reader:
    control = CacheControl.STALE_WHILE_REVALIDATE
    control = CacheControl.FRESH if "wait" in request.args else control
    control = CacheControl.NO_CACHE if "again" in request.args else control
    return Reader(services().back_office, seal.organization, control, read_moment())


def _answer(details: Details, number: int, seal: Seal) -> Response:
    people = details.get("people")
    html = render_template(
        f"details/{details.section.name}.html",
        view=details,
        number=number,
        moment=read_moment(),
        now=time.time(),
        entities=ENTITIES,
        people=sort_people(people, details.record) if people else (),
        writing=_find_writing(seal) if people else frozenset(),
        badges_of=_find_badges,
        is_owner=is_owner,
        is_proven=people is not None and _is_writer_proven(seal),
        longest=LONGEST_PARAGRAPH,
    )
    return make_response(html, _choose_status(details))


def _find_badges(section: str) -> Mapping[str, str]:
    return SECTIONS[section].badges


def _choose_status(details: Details) -> int:
    """Return a failure where only the list's copy can be shown, or not even that."""
    own = [part for name, part in details.parts.items() if name != "copy" or details.record is None]
    error = next((part.error for part in own if part.error), None)
    return choose_status(error) if error and not details.is_partly_told else 200


def _is_writer_proven(seal: Seal) -> bool:
    """An agent who knows the person opens everything, and proves nobody: the head says the same."""
    if seal.trust != PROVEN or not seal.verification:
        return seal.trust == PROVEN
    names = (seal.conversation, seal.organization, seal.verification)
    try:
        opening = services().verifications.find_opening(*names)
    except PanelError:
        return False
    return opening is not None and opening.kind != BY_ACQUAINTANCE


def _find_writing(seal: Seal) -> frozenset[int]:
    """Return the ids of the collaborators that the passes matched to the conversation's contact."""
    try:
        seats = services().directory.memberships_of(seal.contact)
    except PanelError:
        # Then nobody is marked as the writer, and the people are shown all the same.
        return frozenset()
    return frozenset(
        int(person.key.removeprefix(SEATED))
        for organization, person in seats
        if organization.id == seal.organization and person.key.startswith(SEATED)
    )
