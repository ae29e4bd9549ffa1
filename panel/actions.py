"""What an agent does about the customer: pick, undo, refuse, search, uncover."""

from dataclasses import replace

from flask import Response, make_response, render_template, request

from panel import audit, search
from panel.audit import Entry
from panel.cache import Ask
from panel.drawing import bp, drawn, sealed, visits, without
from panel.errors import PanelError
from panel.sections import SECTIONS
from panel.services import services
from panel.verdicts import Unpicked, Verdicts
from panel.views import section_of
from panel.visits import number_in

REASON_LENGTHS = range(3, 201)


@bp.post("/links")
def links() -> tuple[str, int] | str:
    seal = sealed()
    try:
        action, scope = request.form.get("action", ""), request.form.get("scope", "")
        organization = number_in(request.form, "organization")
        visit = visits().again(seal)
        try:
            undone = request.form.get("at", "")
            notice = Verdicts(services()).say(visit, organization, action, scope, undone)
        except Unpicked as error:
            return drawn(visit, seal.organization, error.code), 422
        chosen = organization if action == "pick" else 0
        return drawn(visits().again(seal), chosen, notice)
    except PanelError as error:
        return without(error)


@bp.get("/search")
def find() -> tuple[str, int] | str:
    """What cannot be searched now is said, and is not "nothing found"."""
    sealed()
    query = request.args.get("q", "")
    try:
        results = search.search(services(), query)
    except PanelError as error:
        return render_template("search.html", error=error, results=None), 503
    return render_template("search.html", error=None, results=results)


@bp.post("/uncover")
def uncover() -> Response:
    """One section unmasked, for a reason that is kept first: without its row nothing is shown."""
    seal = sealed()
    name = request.form.get("section", "")
    given = (request.form.get("reason", ""), request.form.get("detail", ""))
    reason = ": ".join(part for part in (each.strip() for each in given) if part)
    if name not in SECTIONS or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    if len(reason) not in REASON_LENGTHS or not reason.isprintable():
        return make_response({"error": {"code": "no_reason", "detail": "3 to 200 characters"}}, 422)
    services().audit.note(
        Entry(
            audit.UNCOVERED,
            seal.agent,
            seal.conversation,
            seal.organization,
            seal.proof,
            note=f"{name}: {reason}",
        )
    )
    opened = replace(seal, uncovered=(name,))
    return section_of(name, opened, services().access.seal(opened), Ask.FRESH)
