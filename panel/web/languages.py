"""The language of a panel: that of Chatwoot's own pages for this agent, where it is known.

Chatwoot's dashboard speaks the language that an agent chose in their profile, else that of the
account (`App.vue` of Chatwoot 4.16). A proof by token or session tells the agent's own language. A
request of the page names the page's language. If an opening turns out to be in another language,
its answer brings along the words of the page around it.
"""

from flask import Response, g, make_response, render_template

from panel.auth.credentials import Proof
from panel.errors import PanelError
from panel.services import services
from panel.web.rendering import choose_formats, choose_page_formats


def recall_language() -> None:
    """Use the account's language before anything is proven, where a copy of it is kept."""
    g.locale = _recall_account()


def learn_language(proof: Proof) -> None:
    """Use the language of a proven agent."""
    g.locale = proof.locale or _find_account()


def _find_account() -> str:
    """Return the account's language. Without a copy Chatwoot is asked, with a short wait."""
    checks, chatwoot = services().checks, services().chatwoot
    try:
        reading = chatwoot.peek_locale()
        if reading and not reading.follow:
            return reading.value
        check = checks.start("locale", chatwoot.find_locale)
        return reading.value if reading else checks.wait(check)
    except PanelError:  # it may be the remembered failure of an earlier question
        return ""


def _recall_account() -> str:
    try:
        reading = services().chatwoot.peek_locale()
    except PanelError:
        return ""
    return reading.value if reading else ""


def tell_language(answer: Response | str) -> Response:
    """Return the answer, with the page's words added where the page is in another language."""
    formats, response = choose_formats(), make_response(answer)
    if formats.locale != choose_page_formats().locale:
        response.headers["Content-Language"] = formats.language
        response.set_data(response.get_data() + render_template("respoken.html").encode())
    return response
