"""The routes of the panel: the shell, the panel of a conversation, its sections, changes."""

import logging
import random
import re
import time
from dataclasses import replace
from typing import Any

from flask import Response, make_response, render_template, request

from panel import metrics
from panel.auth.seal import Seal
from panel.cache.entries import Reading
from panel.cache.policy import CacheControl
from panel.customer.acquaintance import learn_organization
from panel.customer.lookup import Hints
from panel.data.delivery_log import ACCEPTED, AGENTS
from panel.errors import Busy, PanelError
from panel.logs.events import LogThrottle
from panel.services import get, services
from panel.upstream.documents import ORGANIZATION
from panel.web import sign_in
from panel.web.details import Details
from panel.web.languages import learn_language, recall_language, tell_language
from panel.web.opening import render_attention, render_panel
from panel.web.polling import CpuLoad, choose_pause
from panel.web.rendering import (
    choose_status,
    find_masked,
    find_masked_in,
    make_lookup,
    open_seal_at_once,
    open_seal_in_time,
    read_bearer,
)
from panel.web.section_rendering import read_moment, read_version, render_section
from panel.web.sections import (
    SECTIONS,
    SectionView,
    make_failed_view,
    make_loading_view,
    make_view,
    mark_unchecked,
)

log = logging.getLogger(__name__)

DIALOGS = ("shortcuts", "uncover")
LONGEST_IDLE = 6  # digits
SHOWN_FAILURE = re.compile("(?P<code>[a-z0-9_]{1,40})(:(?P<state>failed|denied|late))?")
JUST_READ_SECONDS = 5.0
CPU_LOAD = CpuLoad()


def show_shell() -> str:
    recall_language()
    return render_template("shell.html", origins=services().settings.frame_origins)


def show_dialog(name: str) -> Response | str:
    """Show a dialog of the page's own words: like the page, it tells nothing about anybody."""
    if name not in DIALOGS:
        return make_response({"error": {"code": "no_such_dialog"}}, 404)
    return render_template(f"dialogs/{name}.html")


def show_contact() -> Response:
    recall_language()
    return tell_language(_open_panel())


def _open_panel() -> Response | str:
    try:
        proof = sign_in.prove_agent()
        learn_language(proof)
        hints = Hints.from_form(request.form)
        proof.confirm(hints.agent_id)
        generation = services().authenticator.find_generation(proof, hints.agent_id)
        with sign_in.limit_guesses(hints):
            visit = make_lookup().look_up(hints, proof.name, generation)
        services().deliveries.count(AGENTS, ACCEPTED)
        return render_panel(visit, hints.organization)
    except PanelError as error:
        return sign_in.answer_refusal(error)


def show_section(name: str) -> Response:
    waits = "wait" in request.args
    control = CacheControl.FRESH if waits else CacheControl.STALE_WHILE_REVALIDATE
    seal, is_checked = open_seal_in_time()
    return answer_section(name, seal, read_bearer(), control, is_checked)


def refresh_section(name: str) -> Response:
    seal, is_checked = open_seal_in_time()
    return answer_section(name, seal, read_bearer(), CacheControl.NO_CACHE, is_checked)


def refresh_all() -> Response:
    """Tell every section to read anew by a request of its own; this answer waits for none of
    them."""
    open_seal_at_once()
    answer = Response(status=204)
    answer.headers["HX-Trigger"] = ", ".join(f"refresh-{name}" for name in SECTIONS)
    return answer


def show_attention() -> Response:
    """Show the lines that need a word by now, from kept copies; only access is asked for."""
    seal, is_checked = open_seal_in_time()
    if not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    failures = {
        name: (shown["state"] or "failed", shown["code"])
        for name, text in _parse_seen(request.args.get("failed", "")).items()
        if (shown := SHOWN_FAILURE.fullmatch(text))
    }
    html = render_attention(seal, "stranger" in request.args, is_checked, failures)
    return make_response(html)


def show_changes() -> Response:
    """Tell which of the shown sections have a reason to ask again, and when the page asks the next
    time.

    The answer holds names of sections alone, so it is given without a wait for Chatwoot.
    """
    organization, query = open_seal_at_once().organization, request.args
    versions = _parse_seen(query.get("seen", "")) if organization else {}
    office, cache = services().back_office, services().cache
    resources = [
        (office.resource(SECTIONS[name].document, organization), version)
        for name, version in versions.items()
    ]
    news = zip(versions, cache.changed(*resources), strict=True)
    triggers = [f"touched-{name}" for name, is_news in news if is_news]
    answer = Response(status=204)
    seconds = choose_pause(_parse_idle(query.get("idle", "")), CPU_LOAD.share(), random.random())  # noqa: S311
    answer.headers["X-Panel-Next"] = f"{seconds:.1f}"
    if triggers:
        answer.headers["HX-Trigger"] = ", ".join(triggers)
    return answer


def answer_section(
    name: str, seal: Seal, own_seal: str, control: CacheControl, is_checked: bool = True
) -> Response:
    """Answer one section as the seal allows it.

    `own_seal`: the seal that the section carries where it shows uncovered values. `is_checked`
    False: Chatwoot was too slow to confirm that the agent may see this.
    """
    section = SECTIONS.get(name)
    if section is None or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    masked = find_masked_in(section, seal)
    is_uncovered = masked != find_masked(seal.trust)
    status, started_at = 200, time.perf_counter()
    try:
        reading = services().back_office.read(section.document, seal.organization, control)
        if section.document is ORGANIZATION and _was_just_read(reading):
            learn_organization(services(), reading)
        view = make_view(section, reading, read_moment(), masked)
        view = replace(view, whole="all" in request.args)
        view = view if is_checked else mark_unchecked(view)
    except Busy:
        view = make_loading_view(section, Busy.code)  # the page asks again by itself
    except PanelError as error:
        view = make_failed_view(section, error, read_version(section, seal.organization))
        status = choose_status(error)
    seconds = time.perf_counter() - started_at
    metrics.find_series(metrics.SECTION_SECONDS, name, view.state).observe(seconds)
    record_trouble(view, seal)
    html = render_section(view, seal.organization, own_seal if is_uncovered else "")
    answer = make_response(html, status)
    answer.headers["HX-Trigger"] = "attention"  # other records may need a word by now
    return answer


def _was_just_read(reading: Reading[Any]) -> bool:
    return not reading.late and time.time() - reading.read_at < JUST_READ_SECONDS


def record_trouble(view: SectionView | Details, seal: Seal) -> None:
    """Log the trouble that the agent sees, under the request id that they can tell us."""
    if view.tells_code:
        get(LogThrottle).record(
            log.info,
            "a section was not fresh",
            view.section.name,
            view.code,
            section=view.section.name,
            state=view.state,
            code=view.code,
            organization=seal.organization,
            conversation=seal.conversation,
            agent=seal.agent,
        )


def _parse_idle(text: str) -> float:
    """Read the page's report how long it has been idle; without a usable number the page counts as
    active."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_IDLE else 0.0


def _parse_seen(text: str) -> dict[str, str]:
    pairs = (pair.partition(":")[::2] for pair in text[:2000].split(","))
    return {name: version for name, version in pairs if name in SECTIONS}
