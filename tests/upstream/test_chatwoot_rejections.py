"""What Chatwoot's refusals mean, by their words and by their form."""

from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from panel.errors import Blocked, Missing, PanelError, Unauthorized
from panel.upstream.chatwoot_rejections import name_rejection
from panel.upstream.client import Rejection

SIGN_IN_PT = "Você precisa entrar ou se cadastrar antes de continuar."
SIGN_IN_JA = "続行するにはサインインまたはサインアップする必要があります。"
REFUSALS: list[tuple[int, Any, type[PanelError], str]] = [
    (401, {"error": "Invalid Access Token"}, Unauthorized, "wrong_token"),
    (401, {"error": "Account is suspended"}, Unauthorized, "account_suspended"),
    (401, {"error": "You are not authorized to do this action"}, Unauthorized, "not_permitted"),
    # Its sentences in the languages in which it has them.
    (401, {"error": "You are not authorized to access this account"}, Unauthorized, "other_account"),
    (401, {"error": "Você não está autorizado a acessar esta conta"}, Unauthorized, "other_account"),
    (401, {"error": "No está autorizado a acceder a esta cuenta"}, Unauthorized, "other_account"),
    *((401, {"errors": [words]}, Unauthorized, "token_missing") for words in (SIGN_IN_PT, SIGN_IN_JA)),
    # Tokens of bots and of platform apps.
    (401, {"error": "Access to this endpoint is not authorized for bots"}, Unauthorized, "bot_token"),
    (401, {"error": "Bot is not authorized to access this account"}, Unauthorized, "bot_token"),
    (403, {"error": "API access is not enabled for this account"}, Unauthorized, "feature_off"),
    # A later version's words, in its form.
    (401, {"error": "Ihr Zugang ist gesperrt"}, Unauthorized, "unauthorized"),
    (403, {"error": "This feature is not on your plan"}, Unauthorized, "unauthorized"),
    # Of gateways and firewalls.
    (401, {"message": "Unauthorized"}, Blocked, "blocked"),
    (403, {"message": "Forbidden"}, Blocked, "blocked"),
    (403, {"errors": [{"code": 1020}]}, Blocked, "blocked"),
    (403, {"error": {"code": 403}}, Blocked, "blocked"),
    (401, [], Blocked, "blocked"),
    *((status, None, Blocked, "blocked") for status in (401, 403, 405, 406)),
    (404, {"error": "Resource could not be found"}, Missing, "not_found"),
    (404, {"status": 404, "error": "Not Found"}, Blocked, "no_api"),
    (404, None, Blocked, "no_api"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "code"), REFUSALS)
def test_words_and_form_say_who_refuses_what(
    status: int, body: Any, kind: type[PanelError], code: str
) -> None:
    error = name_rejection(Rejection(status, CaseInsensitiveDict(), body))
    assert error is not None
    assert (type(error), error.code) == (kind, code)


def test_words_that_are_not_known_are_told_as_they_came() -> None:
    words = "This feature is not on your plan"
    error = name_rejection(Rejection(403, CaseInsensitiveDict(), {"error": words}))
    assert error is not None
    assert error.detail == words
