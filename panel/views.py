"""What the browser asks for: the shell, the panel of a conversation, its sections, changes, links.

Every answer but the shell needs a proof or a seal; ids come from the seal, never from the request.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime

from flask import Blueprint, Response, g, make_response, render_template, request
from prometheus_client import Counter

from panel import access, labels
from panel.access import Denied, Seal, Unsealed
from panel.cache import Ask
from panel.errors import GiveUp, Missing, PanelError, Refused
from panel.formats import Formats, choose_locale
from panel.identity import Candidate
from panel.sections import SECTIONS, Moment, Part, Section, part_of, part_without
from panel.services import services
from panel.visits import Hints, Unpicked, Visit, Visits, number_in

bp = Blueprint("panel", __name__)
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
        return _drawn(_visits().arrive(hints, proof), hints.organization)
    except PanelError as error:
        return _without(error)


@bp.get("/sections/<name>")
def section(name: str) -> Response:
    return _section(name, Ask.FRESH if "wait" in request.args else Ask.GLANCE)


@bp.post("/sections/<name>/refresh")
def refresh(name: str) -> Response:
    return _section(name, Ask.NEW)


@bp.get("/changes")
def changes() -> Response:
    seal = _sealed()
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


@bp.post("/links")
def links() -> tuple[str, int] | str:
    seal = _sealed()
    try:
        action, scope = request.form.get("action", ""), request.form.get("scope", "")
        organization = number_in(request.form, "organization")
        visit = _visits().again(seal)
        try:
            notice = _visits().say(visit, organization, action, scope)
        except Unpicked as error:
            return _drawn(visit, seal.organization, error.code), 422
        chosen = organization if action == "pick" else 0
        return _drawn(_visits().again(seal), chosen, notice)
    except PanelError as error:
        return _without(error)


@bp.after_request
def mark(answer: Response) -> Response:
    """Only what carries this mark may replace a part of the panel: no proxy's page, no JSON."""
    if answer.mimetype == "text/html":
        answer.headers["X-Panel"] = "1"
    return answer


@bp.errorhandler(Unsealed)
def unsealed(error: Unsealed) -> tuple[dict[str, dict[str, str]], int]:
    return {"error": {"code": error.code}}, 401


@bp.errorhandler(PanelError)
def unchecked(error: PanelError) -> tuple[dict[str, dict[str, str]], int]:
    """Chatwoot cannot tell whether the seal still holds: nothing is shown, what stands stays."""
    return {"error": {"code": error.code, "detail": "the seal could not be checked"}}, 503


@bp.app_context_processor
def words() -> dict[str, object]:
    """What every template may use: `_`, `ngettext`, `fmt`, and the settings that show."""
    if "formats" not in g:
        settings = services().settings
        wanted = [value for value, _ in request.accept_languages]
        locale = choose_locale(settings.locale, wanted)
        g.formats = Formats(locale, settings.timezone)
    fmt: Formats = g.formats
    return {"fmt": fmt, "_": fmt.gettext, "ngettext": fmt.ngettext, "labels": labels}


@bp.app_template_global()
def link_to(record: str, number: int) -> str:
    """The configured deep link of a record, or nothing."""
    template: str = getattr(services().settings, f"link_{record}")
    return template.replace("{id}", str(number))


def _visits() -> Visits:
    return Visits(services())


def _sealed() -> Seal:
    return services().access.opened(request.headers.get("Authorization"))


# -- drawing -----------------------------------------------------------------------------------


def _without(error: PanelError) -> tuple[str, int]:
    """No panel: the viewer is refused, or something could not be asked."""
    template = "denied.html" if isinstance(error, Denied) else "failed.html"
    return render_template(template, error=error, now=time.time()), _status(error)


def _drawn(visit: Visit, chosen: int = 0, notice: str = "") -> str:
    """The panel: one organization, a choice between several, or none."""
    found = visit.found
    candidate = found.get(chosen) or (found.candidates[0] if len(found.candidates) == 1 else None)
    if candidate:
        return _ready(visit, candidate, notice)
    template = "choose.html" if found.candidates else "unlinked.html"
    cards = [
        (each, _seal(visit, each), _loading(SECTIONS["organization"])) for each in found.candidates
    ]
    return render_template(
        template,
        visit=visit,
        cards=cards,
        seal=_seal(visit),
        notice=notice,
        agents=services().chatwoot.agents(),
    )


def _ready(visit: Visit, candidate: Candidate, notice: str) -> str:
    masked = candidate.trust != "proven"
    parts = [_kept(section, candidate.organization, masked) for section in SECTIONS.values()]
    shown = parts[0].shown
    return render_template(
        "contact.html",
        visit=visit,
        candidate=candidate,
        name=shown.items[0].record.name if shown else "",
        parts=parts,
        seal=_seal(visit, candidate),
        notice=notice,
        agents=services().chatwoot.agents(),
        moment=_moment(),
        now=time.time(),
    )


def _kept(section: Section, organization: int, masked: bool) -> Part:
    """A kept copy is drawn at once; without one the section loads itself."""
    try:
        reading = services().office.peek(section.document, organization)
    except PanelError as error:
        return part_without(section, error, _version(section, organization))
    return part_of(section, reading, _moment(), masked) if reading else _loading(section)


def _loading(section: Section) -> Part:
    return Part(section, "loading")


def _section(name: str, ask: Ask) -> Response:
    seal = _sealed()
    section = SECTIONS.get(name)
    if section is None or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    masked = seal.trust != "proven"
    status = 200
    try:
        reading = services().office.read(section.document, seal.organization, ask)
        part = part_of(section, reading, _moment(), masked)
    except PanelError as error:
        part = part_without(section, error, _version(section, seal.organization))
        status = _status(error)
    SHOWN.labels(name, part.state).inc()
    html = render_template(section.template, part=part, moment=_moment(), now=time.time())
    return make_response(html, status)


def _version(section: Section, organization: int) -> str:
    return services().cache.version(services().office.topic(section.document, organization))


def _moment() -> Moment:
    settings = services().settings
    return Moment(datetime.now(UTC).astimezone(settings.timezone), settings.expiring_days)


def _seal(visit: Visit, candidate: Candidate | None = None) -> str:
    named = candidate and replace(
        visit.seal, organization=candidate.organization, trust=candidate.trust
    )
    return services().access.seal(named or replace(visit.seal, organization=0, trust="unproven"))


def _seen(text: str) -> dict[str, str]:
    pairs = (pair.partition(":")[::2] for pair in text[:2000].split(","))
    return {name: version for name, version in pairs if name in SECTIONS}


def _status(error: PanelError) -> int:
    if error.code == "bad_request":
        return 400
    if isinstance(error, Denied | Refused):
        return 403
    if isinstance(error, Missing):
        return 404
    return 502 if isinstance(error, GiveUp) else 503
