"""The arrangement of the sections: their order, and which are collapsed, as each agent prefers.

Preferences need an agent whose identity is proven; with the launch key alone, one agent could
arrange the panel of another.
"""

import time

from flask import Response, make_response, request

from panel.auth.seal import Seal
from panel.auth.tokens import SHARED_SECRET
from panel.data.preferences import Preference
from panel.errors import PanelError
from panel.services import services
from panel.web.rendering import open_seal, proves_agents, refuse_unproven_agent
from panel.web.sections import SECTIONS


def find_preference(seal: Seal) -> Preference:
    """Return the agent's arrangement; the usual one also while the database is silent."""
    if not proves_agents() or seal.proof == SHARED_SECRET:
        return Preference()
    try:
        return services().preferences.find(seal.agent)
    except PanelError:
        return Preference()


def change_preferences() -> Response:
    """Store the arrangement: `order` and `collapsed` are names of sections with commas between."""
    if not proves_agents():
        return refuse_unproven_agent()
    seal = open_seal()
    if seal.proof == SHARED_SECRET:
        return refuse_unproven_agent()
    names = _parse_names(request.form.get("order", ""))
    collapsed = _parse_names(request.form.get("collapsed", ""))
    if names is None or collapsed is None:
        return make_response({"error": {"code": "no_such_section"}}, 422)
    # The usual order is not stored, since a newer version may have another one.
    order = () if names == list(SECTIONS)[: len(names)] else tuple(names)
    preference = Preference(order, frozenset(collapsed))
    services().preferences.keep(seal.agent, preference, time.time())
    return make_response("", 204)


def _parse_names(text: str) -> list[str] | None:
    """Return the names without repetition; None where one of them is no section."""
    names = [name for name in text.split(",") if name]
    return names if set(names) <= SECTIONS.keys() and len(set(names)) == len(names) else None
