"""How every answer of the reading wing is drawn: the panel of a visit, its parts, a refusal.

The blueprint lives here, with what holds for each of its routes; `views` and `actions` hang the
routes onto it. Every answer but the shell needs a proof or a seal; ids come from the seal, never
from the request.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime

from flask import Blueprint, Response, g, render_template, request

from panel import audit, labels
from panel.access import Denied, Seal, Unsealed
from panel.audit import Entry
from panel.errors import GiveUp, Missing, PanelError, Refused
from panel.formats import Formats, choose_locale
from panel.identity import Candidate
from panel.sections import SECTIONS, Moment, Part, Section, part_of, part_without
from panel.services import services
from panel.visits import Visit, Visits

bp = Blueprint("panel", __name__)


def visits() -> Visits:
    return Visits(services())


def sealed() -> Seal:
    return services().access.opened(request.headers.get("Authorization"))


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


# -- drawing -----------------------------------------------------------------------------------


def without(error: PanelError) -> tuple[str, int]:
    """No panel: the viewer is refused, or something could not be asked."""
    template = "denied.html" if isinstance(error, Denied) else "failed.html"
    return render_template(template, error=error, now=time.time()), status_of(error)


def drawn(visit: Visit, chosen: int = 0, notice: str = "") -> str:
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
    services().audit.try_note(entry_of(audit.SHOWN, visit.seal, candidate))
    return render_template(
        "contact.html",
        visit=visit,
        candidate=candidate,
        name=shown.items[0].record.name if shown else "",
        parts=parts,
        seal=_seal(visit, candidate),
        notice=notice,
        agents=services().chatwoot.agents(),
        moment=moment(),
        now=time.time(),
    )


def entry_of(what: str, seal: Seal, candidate: Candidate, note: str = "") -> Entry:
    return Entry(
        what,
        seal.agent,
        seal.conversation,
        candidate.organization,
        seal.proof,
        candidate.link,
        candidate.source,
        note,
    )


def _kept(section: Section, organization: int, masked: bool) -> Part:
    """A kept copy is drawn at once; without one the section loads itself."""
    try:
        reading = services().office.peek(section.document, organization)
    except PanelError as error:
        return part_without(section, error, version_of(section, organization))
    return part_of(section, reading, moment(), masked) if reading else _loading(section)


def _loading(section: Section) -> Part:
    return Part(section, "loading")


def version_of(section: Section, organization: int) -> str:
    return services().cache.version(services().office.topic(section.document, organization))


def moment() -> Moment:
    settings = services().settings
    return Moment(datetime.now(UTC).astimezone(settings.timezone), settings.expiring_days)


def _seal(visit: Visit, candidate: Candidate | None = None) -> str:
    named = candidate and replace(
        visit.seal, organization=candidate.organization, trust=candidate.trust
    )
    return services().access.seal(named or replace(visit.seal, organization=0, trust="unproven"))


def status_of(error: PanelError) -> int:
    if error.code == "bad_request":
        return 400
    if isinstance(error, Denied | Refused):
        return 403
    if isinstance(error, Missing):
        return 404
    return 502 if isinstance(error, GiveUp) else 503
