"""What the browser asks for: the shell, the panel of a conversation, its sections, changes."""

import time

from flask import Response, make_response, render_template, request
from prometheus_client import Counter

from panel import access
from panel.cache import Ask
from panel.drawing import bp, drawn, moment, sealed, status_of, version_of, visits, without
from panel.errors import PanelError
from panel.sections import SECTIONS, part_of, part_without
from panel.services import services
from panel.visits import Hints

NEXT_SECONDS = 15
SHOWN = Counter("panel_sections", "Sections that were asked for, by state", ["section", "state"])


@bp.get("/")
def shell() -> str:
    return render_template("shell.html", origins=services().settings.frame_origins)


@bp.post("/contact")
def contact() -> tuple[str, int] | str:
    try:
        proof = access.prove(services().settings, request.headers.get("Authorization"))
        hints = Hints.from_form(request.form)
        return drawn(visits().arrive(hints, proof), hints.organization)
    except PanelError as error:
        return without(error)


@bp.get("/sections/<name>")
def section(name: str) -> Response:
    return _section(name, Ask.FRESH if "wait" in request.args else Ask.GLANCE)


@bp.post("/sections/<name>/refresh")
def refresh(name: str) -> Response:
    return _section(name, Ask.NEW)


@bp.get("/changes")
def changes() -> Response:
    seal = sealed()
    touched = [
        f"touched-{name}"
        for name, version in _seen(request.args.get("seen", "")).items()
        if seal.organization
        and services().cache.changed(
            services().office.topic(SECTIONS[name].document, seal.organization), version
        )
    ]
    answer = make_response("", 204)
    answer.headers["X-Panel-Next"] = str(NEXT_SECONDS)
    if touched:
        answer.headers["HX-Trigger"] = ", ".join(touched)
    return answer


def _section(name: str, ask: Ask) -> Response:
    seal = sealed()
    section = SECTIONS.get(name)
    if section is None or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    masked = seal.trust != "proven"
    status = 200
    try:
        reading = services().office.read(section.document, seal.organization, ask)
        part = part_of(section, reading, moment(), masked)
    except PanelError as error:
        part = part_without(section, error, version_of(section, seal.organization))
        status = status_of(error)
    SHOWN.labels(name, part.state).inc()
    html = render_template(section.template, part=part, moment=moment(), now=time.time())
    return make_response(html, status)


def _seen(text: str) -> dict[str, str]:
    pairs = (pair.partition(":")[::2] for pair in text[:2000].split(","))
    return {name: version for name, version in pairs if name in SECTIONS}
