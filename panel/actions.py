"""What an agent says about the customer: pick, undo, refuse."""

from flask import request

from panel.drawing import bp, drawn, sealed, visits, without
from panel.errors import PanelError
from panel.visits import Unpicked, number_in


@bp.post("/links")
def links() -> tuple[str, int] | str:
    seal = sealed()
    try:
        action, scope = request.form.get("action", ""), request.form.get("scope", "")
        organization = number_in(request.form, "organization")
        visit = visits().again(seal)
        try:
            notice = visits().say(visit, organization, action, scope)
        except Unpicked as error:
            return drawn(visit, seal.organization, error.code), 422
        chosen = organization if action == "pick" else 0
        return drawn(visits().again(seal), chosen, notice)
    except PanelError as error:
        return without(error)
