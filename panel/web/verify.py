"""The routes of verifying: the dialog, and the actions of the agent in it.

The company and the contact are those of the seal; ids in the form are ignored.
"""

import time

from flask import Response, make_response, render_template, request

from panel.customer.answers import ANSWER_KINDS, BY_ADDRESS, find_callable
from panel.customer.decisions import Decisions
from panel.customer.lookup import Visit
from panel.customer.matching import Candidate
from panel.customer.verification import NotVerified, Verifier
from panel.data import audit_log
from panel.data.audit_log import AuditEntry
from panel.data.verifications import BY_CALL
from panel.errors import PanelError
from panel.models.organizations import Organization
from panel.services import services
from panel.web.opening import render_panel
from panel.web.rendering import make_lookup, open_seal, render_refusal

TOO_MANY, NOT_DONE, OUTDATED = 429, 422, 409


def show_dialog() -> Response | tuple[str, int]:
    """Show the dialog. The dialog is fetched only when an agent wants it, because it shows a phone,
    which leaves a row in the access log."""
    seal = open_seal()
    try:
        visit = make_lookup().repeat(seal)
        candidate = visit.found.get(seal.organization)
        if candidate is None:
            return _replace_panel(render_panel(visit), OUTDATED)
        return make_response(_render_dialog(visit, candidate))
    except PanelError as error:
        return render_refusal(error)


def verify() -> Response | tuple[str, int] | str:
    seal = open_seal()
    try:
        visit = make_lookup().repeat(seal)
        candidate = visit.found.get(seal.organization)
        if candidate is None:  # meanwhile the company was refused, or another claim replaced it
            return render_panel(visit), OUTDATED
        try:
            notice = _carry_out(visit, seal.organization)
        except NotVerified as refusal:
            return _answer_not_verified(visit, candidate, refusal)
        return render_panel(make_lookup().repeat(seal), seal.organization, notice)
    except PanelError as error:
        return render_refusal(error)


def _carry_out(visit: Visit, organization: int) -> str:
    """Carry out the first action that the form names; returns a notice, mostly empty."""
    verifier, form = Verifier(services()), request.form
    if "undo" in form:
        scopes = verifier.take_back(visit, organization)
        return Decisions(services()).withhold(visit, organization, scopes)
    attempt = verifier.begin(visit, organization)
    if "called" in form:
        verifier.note_call(attempt)
    elif "known" in form:
        verifier.note_acquaintance(attempt, form.get("reason", ""))
    else:
        return verifier.check_answer(attempt, form.get("answer", ""))
    return ""


def _answer_not_verified(visit: Visit, candidate: Candidate, refusal: NotVerified) -> Response:
    """Render the dialog once more with the reason; the panel behind it stays."""
    status = TOO_MANY if refusal.code == "too_many_tries" else NOT_DONE
    answer = make_response(_render_dialog(visit, candidate, refusal), status)
    answer.headers["HX-Retarget"] = f"#verify-{candidate.organization}"
    answer.headers["HX-Reswap"] = "innerHTML"
    return answer


def _replace_panel(html: str, status: int) -> Response:
    answer = make_response(html, status)
    answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#panel", "outerHTML"
    return answer


def _render_dialog(visit: Visit, candidate: Candidate, refusal: NotVerified | None = None) -> str:
    shared, contact = services(), visit.conversation.contact
    verifier = Verifier(shared)
    company = verifier.find_company(candidate.organization)
    proving = shared.settings.verify_by
    uncovered_kinds = verifier.find_uncovered(visit, candidate.organization)
    # A visitor types the e-mail that a company is found by.
    by_email = candidate.source == BY_ADDRESS
    proofs = [kind for kind in ANSWER_KINDS if kind in proving and kind not in uncovered_kinds]
    proofs = [kind for kind in proofs if kind != BY_ADDRESS or not by_email]
    return render_template(
        "verify.html",
        visit=visit,
        candidate=candidate,
        refusal=refusal,
        proofs=proofs,
        clues=[kind for kind in ANSWER_KINDS if kind not in proofs and kind not in uncovered_kinds],
        uncovered=[kind for kind in ANSWER_KINDS if kind in uncovered_kinds],
        company=company,
        phone=_log_phone(visit, candidate, company) if BY_CALL in proving else "",
        left=shared.tries.count_left(contact.id, candidate.organization),
        now=time.time(),
    )


def _log_phone(visit: Visit, candidate: Candidate, company: Organization | None) -> str:
    """Return the registered phone, which may be masked, only once its row is in the access log."""
    if phone := find_callable(company):
        services().audit_log.record(
            AuditEntry(
                audit_log.PHONE_SHOWN,
                visit.seal.agent,
                visit.conversation.id,
                candidate.organization,
                visit.seal.proof,
            )
        )
    return phone
