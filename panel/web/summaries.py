"""Summaries of sections: one line each, by which an agent decides between two companies."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, make_response, render_template

from panel.cache.policy import CacheControl
from panel.errors import PanelError
from panel.services import services
from panel.web.groups import read_status
from panel.web.rendering import choose_status, find_masked, open_seal_in_time
from panel.web.section_rendering import read_moment, read_version
from panel.web.sections import SECTIONS, Section, SectionView, make_failed_view, make_view

SUMMARIZED = ("licenses", "orders")


@dataclass(frozen=True)
class Summary:
    """`state`: of the section; `counts`: the number of shown records by mark, or else by status, in
    the order of the section."""

    section: Section
    state: str
    counts: Mapping[str, int]
    code: str = ""


def summarize(view: SectionView) -> Summary:
    items = view.selection.items if view.selection else ()
    labels = view.section.statuses
    words = (item.mark if item.mark in labels else read_status(item.record) for item in items)
    return Summary(view.section, view.state, Counter(words), view.code)


def show_summary(name: str) -> Response:
    """Show the summary of the company in the seal: from the kept copy, else from a new read."""
    seal, _ = open_seal_in_time()
    if name not in SUMMARIZED or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    section, status = SECTIONS[name], 200
    try:
        control = CacheControl.STALE_WHILE_REVALIDATE
        reading = services().back_office.read(section.document, seal.organization, control)
        view = make_view(section, reading, read_moment(), find_masked(seal.trust))
    except PanelError as error:
        view = make_failed_view(section, error, read_version(section, seal.organization))
        status = choose_status(error)
    return make_response(render_template("_summary.html", summary=summarize(view)), status)
