"""`GET /why`: the explanation for administrators of the Chatwoot account who have proven it.

The route is closed under `shared-secret`, where only the page itself says who the agent is. No
value that the mask could hide stands in an explanation.
"""

import time
from dataclasses import asdict

from flask import Response, abort, jsonify, make_response, render_template, request

from panel.auth.access import Denied
from panel.auth.seal import InvalidSeal
from panel.auth.tokens import SHARED_SECRET
from panel.customer.lookup import parse_number
from panel.data.audit_log import EXPLAINED, AuditEntry
from panel.errors import PanelError
from panel.explain.explanation import Explanation, Question, explain_shown
from panel.explain.lines import Drawing
from panel.services import services
from panel.upstream.chatwoot import ADMINISTRATOR
from panel.web.rendering import choose_status, open_seal
from panel.web.sign_in import prove_agent

LONGEST_HOOK_ID = 200


def show_reasons() -> Response:
    """Answer with lines, or with JSON where the request accepts it; to the panel's own dialog with
    HTML."""
    if services().settings.agent_proof == SHARED_SECRET:
        abort(404)
    try:
        agent, proof = _prove_administrator()
        question = _read_question()
    except InvalidSeal:
        raise  # answered as for every route that needs a seal
    except PanelError as error:
        answer = jsonify({"error": {"code": error.code, "detail": error.detail}})
        answer.status_code = choose_status(error)
        return answer
    entry = AuditEntry(EXPLAINED, agent, question.conversation, question.organization, proof)
    services().audit_log.try_record(entry)
    return _answer(explain_shown(services(), question))


def _prove_administrator() -> tuple[int, str]:
    """Prove the administrator by the seal of a panel, or by the cookie that opens one. Raises
    `PanelError`."""
    if request.headers.get("Authorization"):
        seal = open_seal()
        agent, name = seal.agent, seal.proof
    else:
        proof = prove_agent()
        agent, name = proof.agent or 0, proof.name
    row = services().chatwoot.agents().get(agent)
    if row is None or row.role != ADMINISTRATOR:
        raise Denied("not_an_administrator")
    return agent, name


def _read_question() -> Question:
    """Raises `Denied("bad_request")`."""
    arguments = request.args
    question = Question(
        conversation=parse_number(arguments, "conversation", otherwise="0"),
        organization=parse_number(arguments, "organization", otherwise="0"),
        hook=arguments.get("hook", "")[:LONGEST_HOOK_ID],
        agent=parse_number(arguments, "agent", otherwise="0"),
        at=float(parse_number(arguments, "at", otherwise="0")),
    )
    if sum(map(bool, (question.conversation, question.organization, question.hook))) != 1:
        raise Denied("bad_request", "one of conversation, organization and hook")
    if not question.hook.isprintable():  # no database keeps a NUL, and no hook has such an id
        raise Denied("bad_request", "no id of a hook")
    if question.at > time.time():
        raise Denied("bad_request", "at is in the future")
    return question


def _answer(explanation: Explanation) -> Response:
    drawing = Drawing(services().settings.timezone, time.time())
    if "HX-Request" in request.headers:
        return make_response(render_template("why.html", lines=drawing.draw(explanation)))
    if request.accept_mimetypes.best_match(["text/plain", "application/json"]) != "text/plain":
        return jsonify(asdict(explanation))
    text = "\n".join(drawing.draw(explanation)) + "\n"
    return Response(text, mimetype="text/plain")
