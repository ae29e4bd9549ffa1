"""The common parts of the answers of the reading wing: the seal, the language, masks, refusals.

Every answer but the shell needs a proof or a seal; ids come from the seal, never from the request.
"""

import time
import unicodedata
from collections.abc import Mapping
from datetime import tzinfo
from functools import lru_cache

from flask import Blueprint, Response, g, make_response, render_template, request
from markupsafe import Markup, escape
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from panel import metrics
from panel.auth.access import Denied, Unproven
from panel.auth.seal import InvalidSeal, Seal
from panel.auth.tokens import SHARED_SECRET, parse_bearer
from panel.customer.disclosure import FREE_TEXT, masked_kinds
from panel.customer.lookup import Lookup
from panel.errors import GiveUp, Missing, PanelError, Refused
from panel.logs import request_id
from panel.models.money import UnclearAmount
from panel.models.text import clean
from panel.models.values import Illegible
from panel.services import services
from panel.web import deep_links, labels, verification_labels, vocabulary
from panel.web.formats import Formats, choose_locale
from panel.web.sections import Section

LONGEST_SHOWN = 300
# Unicode classes of letters and marks that change the direction of the text around them.
TURNING_CLASSES = {"R", "AL", "AN", "RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"}
ODD_STATUSES = {"bad_request": 400, "too_many_proofs": 429, "too_many_guesses": 429}


def register(pages: Blueprint) -> None:
    """Register what all routes share: their mark, their errors, the names for templates."""
    pages.after_request(mark_as_ours)
    pages.register_error_handler(InvalidSeal, answer_invalid_seal)
    pages.register_error_handler(PanelError, answer_unchecked_seal)
    pages.app_context_processor(provide_globals)
    pages.add_app_template_global(make_link)
    pages.add_app_template_global(isolate_values)
    pages.add_app_template_global(find_masked)
    pages.add_app_template_filter(isolate)
    pages.add_app_template_filter(translate, "gettext")
    pages.add_app_template_filter(name_area, "area_name")
    pages.add_app_template_filter(name_answer, "answer_name")
    pages.add_app_template_test(is_illegible, "illegible")
    pages.add_app_template_test(is_unclear, "unclear")


def is_illegible(value: object) -> bool:
    return isinstance(value, Illegible)


def is_unclear(value: object) -> bool:
    return isinstance(value, UnclearAmount)


def make_lookup() -> Lookup:
    return Lookup(services())


def read_bearer() -> str:
    """Return the seal of the request, unopened."""
    return parse_bearer(request.headers.get("Authorization"))


def open_seal() -> Seal:
    return services().seals.open(request.headers.get("Authorization"))


def open_seal_in_time() -> tuple[Seal, bool]:
    """Return the seal, and whether Chatwoot confirmed it: False where it was too slow."""
    return services().seals.open_in_time(request.headers.get("Authorization"))


def open_seal_at_once() -> Seal:
    """Open the seal for an answer that shows no data; the agent is checked in the background."""
    return services().seals.open_at_once(request.headers.get("Authorization"))


def mark_as_ours(answer: Response) -> Response:
    """Mark the answer. Only an answer with this mark may replace a part of the panel: a proxy's
    page has no mark, and neither has JSON."""
    if answer.mimetype == "text/html":
        answer.headers["X-Panel"] = "1"
    return answer


def answer_invalid_seal(error: InvalidSeal) -> tuple[dict[str, dict[str, str]], int]:
    metrics.REFUSED_PROOFS.labels(error.code).inc()
    return {"error": {"code": error.code}}, 401


def answer_unchecked_seal(error: PanelError) -> tuple[dict[str, dict[str, str]], int]:
    """Answer that Chatwoot cannot confirm the seal: the page keeps its panel, nothing is added."""
    return {"error": {"code": error.code, "detail": "the seal could not be checked"}}, 503


def provide_globals() -> dict[str, object]:
    """Give every template `_`, `ngettext`, `fmt`, and the settings that are shown."""
    fmt = choose_formats()
    words = {"_": fmt.gettext, "ngettext": fmt.ngettext, "labels": labels, "vocabulary": vocabulary}
    words["verification_labels"] = verification_labels
    proves = proves_agents()
    return {"fmt": fmt, "request_id": request_id.current(), "proves_agents": proves, **words}


def proves_agents() -> bool:
    """Tell whether agents are proven. With the launch key alone, the page names them unproven."""
    return services().settings.agent_proof != SHARED_SECRET


def choose_formats() -> Formats:
    """Choose Chatwoot's language for this agent (`languages`), else the page's, else ours."""
    return _find_formats(g.get("locale", ""))


def choose_page_formats() -> Formats:
    """Choose the language of the page that asks, which the page sends in place of the browser's."""
    return _find_formats("")


def _find_formats(locale: str) -> Formats:
    settings = services().settings
    accepted = request.headers.get("Accept-Language", "")
    return _make_formats(locale, accepted, settings.locale, settings.timezone)


@lru_cache(maxsize=64)  # browsers send the same few headers
def _make_formats(locale: str, accepted: str, otherwise: str, zone: tzinfo) -> Formats:
    languages = parse_accept_header(accepted, LanguageAccept).values()
    return Formats(choose_locale([locale, *languages], otherwise), zone)


def translate(text: str) -> str:
    return choose_formats().gettext(text)


def name_area(area: str) -> str:
    return translate(vocabulary.AREAS[area])


def name_answer(kind: str) -> str:
    return translate(verification_labels.ANSWER_NAMES[kind])


def make_link(record: str, number: int) -> str:
    """Return the deep link of a record, or an empty text."""
    return deep_links.make_link(services().settings, record, number)


def find_masked(trust: str) -> frozenset[str]:
    """Return the kinds of value that are masked by the setting and by this trust."""
    return masked_kinds(services().settings.mask, trust)


def find_masked_in(section: Section, seal: Seal) -> frozenset[str]:
    """The kinds that are masked in a section and in its rows, but for what the seal uncovers: its
    own kinds, and what somebody typed in its records."""
    masked = find_masked(seal.trust)
    revealed = section.reveals | {FREE_TEXT}
    return masked - revealed if section.name in seal.uncovered else masked


def isolate(value: object, longest: int = LONGEST_SHOWN) -> Markup:
    """Wrap a foreign value in a line of ours, so that right-to-left text in it turns only itself.

    The value may be of any type; a long text is cut.
    """
    text = clean(str(value))[:longest]
    turns = any(unicodedata.bidirectional(letter) in TURNING_CLASSES for letter in text)
    return Markup("<bdi>{}</bdi>").format(text) if turns else escape(text)


def isolate_values(text: str, values: Mapping[str, object]) -> Markup:
    """Return the translated text with each value isolated."""
    return escape(text) % {name: isolate(value) for name, value in values.items()}


def refuse_unproven_agent() -> Response:
    """Refuse a request that belongs to one agent, or acts in their name, without a proof."""
    detail = "PANEL_AGENT_PROOF=shared-secret does not prove who the agent is"
    return make_response({"error": {"code": "agent_not_proven", "detail": detail}}, 403)


def render_refusal(error: PanelError) -> tuple[str, int]:
    """Render no panel: the viewer is refused, or an outside world could not be asked."""
    template = "denied.html" if isinstance(error, Denied) else "failed.html"
    signs_in = services().authenticator.takes_tokens
    if signs_in and isinstance(error, Unproven):
        template = "signin.html"
    html = render_template(
        template, error=error, code=error.code, signs_in=signs_in, now=time.time()
    )
    return html, choose_status(error)


def choose_status(error: PanelError) -> int:
    if error.code in ODD_STATUSES:
        return ODD_STATUSES[error.code]
    if isinstance(error, Denied | Refused):
        return 403
    if isinstance(error, Missing):
        return 404
    return 502 if isinstance(error, GiveUp) else 503
