"""What the browser asks for: the shell, the panel of a conversation, its sections, changes."""

import random

from flask import Response, make_response, render_template, request
from prometheus_client import Counter

from panel import signing
from panel.access import Seal
from panel.cache import Ask
from panel.drawing import (
    bp,
    drawn,
    given,
    moment,
    sealed,
    section_drawn,
    status_of,
    version_of,
    visits,
)
from panel.errors import PanelError
from panel.pace import Load, pause
from panel.sections import SECTIONS, part_of, part_without
from panel.services import services
from panel.visits import Hints

LONGEST_IDLE = 6  # digits
LOAD = Load()
SHOWN = Counter("panel_sections", "Sections that were asked for, by state", ["section", "state"])


@bp.get("/")
def shell() -> str:
    return render_template("shell.html", origins=services().settings.frame_origins)


@bp.post("/contact")
def contact() -> Response | str:
    try:
        proof = signing.proven()
        hints = Hints.from_form(request.form)
        proof.confirm(hints.agent_id)
        return drawn(visits().arrive(hints, proof.name), hints.organization)
    except PanelError as error:
        return signing.refused(error)


@bp.get("/sections/<name>")
def section(name: str) -> Response:
    return section_of(name, sealed(), given(), Ask.FRESH if "wait" in request.args else Ask.GLANCE)


@bp.post("/sections/<name>/refresh")
def refresh(name: str) -> Response:
    return section_of(name, sealed(), given(), Ask.NEW)


@bp.get("/changes")
def changes() -> Response:
    """Which of the shown sections have a reason to ask again; when to ask this again."""
    organization, asked = sealed().organization, request.args
    seen = _seen(asked.get("seen", "")) if organization else {}
    office, cache = services().office, services().cache
    shown = [
        (office.topic(SECTIONS[name].document, organization), version)
        for name, version in seen.items()
    ]
    news = zip(seen, cache.changed(*shown), strict=True)
    touched = [f"touched-{name}" for name, is_news in news if is_news]
    answer = Response(status=204)
    seconds = pause(_idle(asked.get("idle", "")), LOAD.share(), random.random())  # noqa: S311
    answer.headers["X-Panel-Next"] = f"{seconds:.1f}"
    if touched:
        answer.headers["HX-Trigger"] = ", ".join(touched)
    return answer


def section_of(name: str, seal: Seal, own_seal: str, ask: Ask) -> Response:
    """One section as the seal allows it; `own_seal` says so itself when it goes back with it."""
    section = SECTIONS.get(name)
    if section is None or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    uncovered = seal.trust != "proven" and name in seal.uncovered
    masked = seal.trust != "proven" and not uncovered
    status = 200
    try:
        reading = services().office.read(section.document, seal.organization, ask)
        part = part_of(section, reading, moment(), masked)
    except PanelError as error:
        part = part_without(section, error, version_of(section, seal.organization))
        status = status_of(error)
    SHOWN.labels(name, part.state).inc()
    html = section_drawn(part, seal.organization, own_seal if uncovered else "")
    return make_response(html, status)


def _idle(text: str) -> float:
    """What the panel says of itself; one that says nothing of use is taken for alive."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_IDLE else 0.0


def _seen(text: str) -> dict[str, str]:
    pairs = (pair.partition(":")[::2] for pair in text[:2000].split(","))
    return {name: version for name, version in pairs if name in SECTIONS}
