"""How every answer of the reading wing is drawn: the panel of a visit, its parts, a refusal.

The blueprint lives here, with what holds for each of its routes; `views` and `actions` hang the
routes onto it. Every answer but the shell needs a proof or a seal; ids come from the seal, never
from the request.
"""

import time
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup, escape
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from panel import audit, labels
from panel.access import Denied, Seal, Unproven, Unsealed, bearer
from panel.audit import Entry
from panel.errors import GiveUp, Missing, PanelError, Refused
from panel.formats import Formats, choose_locale
from panel.identity import Candidate
from panel.models import clean
from panel.sections import SECTIONS, Moment, Part, Section, part_of, part_without
from panel.services import services
from panel.visits import Visit, Visits

bp = Blueprint("panel", __name__)
LONGEST_SHOWN = 300
# Classes of letters and marks that turn the direction of what stands around them.
TURNING = {"R", "AL", "AN", "RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"}
ODD_STATUSES = {"bad_request": 400, "too_many_proofs": 429}


def visits() -> Visits:
    return Visits(services())


def given() -> str:
    """The seal of the request, as it came."""
    return bearer(request.headers.get("Authorization"))


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
    fmt = _formats()
    return {"fmt": fmt, "_": fmt.gettext, "ngettext": fmt.ngettext, "labels": labels}


def _formats() -> Formats:
    settings = services().settings
    return _spoken(request.headers.get("Accept-Language", ""), settings.locale, settings.timezone)


@lru_cache(maxsize=64)  # browsers send the same few headers
def _spoken(languages: str, fixed: str, zone: tzinfo) -> Formats:
    wanted = parse_accept_header(languages, LanguageAccept).values()
    return Formats(choose_locale(fixed, list(wanted)), zone)


@bp.app_template_global()
def link_to(record: str, number: int) -> str:
    """The configured deep link of a record, or nothing."""
    template: str = getattr(services().settings, f"link_{record}")
    return template.replace("{id}", str(number))


@bp.app_template_filter()
def apart(value: object) -> Markup:
    """A value of another world in a line of ours: what runs the other way turns only itself.

    It may be anything; not all of it is shown when it is long.
    """
    text = clean(str(value))[:LONGEST_SHOWN]
    turns = any(unicodedata.bidirectional(each) in TURNING for each in text)
    return Markup("<bdi>{}</bdi>").format(text) if turns else escape(text)


@bp.app_template_global()
def isolated(text: str, values: Mapping[str, object]) -> Markup:
    """The translated text with each value kept apart."""
    return escape(text) % {name: apart(value) for name, value in values.items()}


# -- drawing -----------------------------------------------------------------------------------


def without(error: PanelError) -> tuple[str, int]:
    """No panel: the viewer is refused, or something could not be asked."""
    template = "denied.html" if isinstance(error, Denied) else "failed.html"
    signs_in = services().proofs.takes_tokens
    if signs_in and isinstance(error, Unproven):
        template = "signin.html"
    html = render_template(
        template, error=error, code=error.code, signs_in=signs_in, now=time.time()
    )
    return html, status_of(error)


def drawn(visit: Visit, chosen: int = 0, notice: str = "") -> str:
    """The panel: one organization, a choice between several, or none."""
    found = visit.found
    notice = notice or ("" if visit.links_known else "links_unknown")
    candidate = found.get(chosen) or (found.candidates[0] if len(found.candidates) == 1 else None)
    if candidate:
        return _ready(visit, candidate, notice)
    template = "choose.html" if found.candidates else "unlinked.html"
    for each in found.candidates:  # a card shows its organization, too
        services().audit.try_note(_shown(visit.seal, each))
    cards = [_card(visit, each) for each in found.candidates]
    return render_template(
        template,
        visit=visit,
        cards=cards,
        seal=_seal(visit),
        notice=notice,
        agents=services().chatwoot.agents(),
        moment=moment(),
        now=time.time(),
    )


def _card(visit: Visit, candidate: Candidate) -> tuple[Candidate, str, Part, str]:
    """One of several that fit, with the seal that opens it and its name."""
    masked = candidate.trust != "proven"
    part = _kept(SECTIONS["organization"], candidate.organization, masked)
    return candidate, _seal(visit, candidate), part, _name(candidate, part)


def _ready(visit: Visit, candidate: Candidate, notice: str) -> str:
    masked = candidate.trust != "proven"
    parts = [_kept(section, candidate.organization, masked) for section in SECTIONS.values()]
    services().audit.try_note(_shown(visit.seal, candidate))
    return render_template(
        "contact.html",
        visit=visit,
        candidate=candidate,
        name=_name(candidate, parts[0]),
        sections=[section_drawn(part, candidate.organization) for part in parts],
        seal=_seal(visit, candidate),
        notice=notice,
        agents=services().chatwoot.agents(),
        moment=moment(),
        now=time.time(),
    )


def _name(candidate: Candidate, part: Part) -> str:
    """As the back office says it, else as the passes learned it, else nothing."""
    if part.shown:
        return str(part.shown.items[0].record.name)
    try:
        known = services().directory.named([candidate.organization])
    except PanelError:
        return ""  # a silent database knows no names
    return "".join(each.name for each in known.values())


def _shown(seal: Seal, candidate: Candidate) -> Entry:
    return Entry(
        audit.SHOWN,
        seal.agent,
        seal.conversation,
        candidate.organization,
        seal.proof,
        candidate.link,
        candidate.source,
    )


def _kept(section: Section, organization: int, masked: bool) -> Part:
    """A kept copy is drawn at once; without one the section loads itself."""
    try:
        reading = services().office.peek(section.document, organization)
    except PanelError as error:
        return part_without(section, error, version_of(section, organization))
    return part_of(section, reading, moment(), masked) if reading else _loading(section)


def section_drawn(part: Part, organization: int, uncovered: str = "") -> Markup:
    """One section; drawn once a second for all who are shown the same.

    A touch sends every open panel of an organization here at once. Nothing in it is finer than a
    second, and nothing tells one agent from another, but for the seal of what they uncovered.
    """
    now = time.time()
    locale = _formats().locale
    said = [value for name, value in vars(part).items() if name not in ("section", "shown")]
    key = (organization, part.section.name, *said, locale, request.script_root, int(now))
    known = None if uncovered else services().drawn.get(key)
    if known is not None:
        return known
    html = render_template(
        part.section.template, part=part, moment=moment(), now=now, uncovered=uncovered
    )
    if not uncovered:
        services().drawn.put(key, Markup(html), now + 1)  # noqa: S704 (our own template made it)
    return Markup(html)  # noqa: S704 (as above)


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
    if error.code in ODD_STATUSES:
        return ODD_STATUSES[error.code]
    if isinstance(error, Denied | Refused):
        return 403
    if isinstance(error, Missing):
        return 404
    return 502 if isinstance(error, GiveUp) else 503
