"""The meaning of Chatwoot's refusals, by their words and by their form."""

from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from panel.errors import Blocked, Missing, PanelError, Unauthorized
from panel.upstream.chatwoot_rejections import name_rejection
from panel.upstream.rejections import Rejection

SIGN_IN = "Você precisa entrar ou se cadastrar antes de continuar."
SIGN_IN_JAPANESE = "続行するにはサインインまたはサインアップする必要があります。"
# Chatwoot's sentence, and the status with which it comes.
SENTENCES = {
    "Invalid Access Token": (401, "wrong_token"),
    "Account is suspended": (401, "account_suspended"),
    "You are not authorized to do this action": (401, "not_permitted"),
    # The sentence in several of Chatwoot's languages.
    "You are not authorized to access this account": (401, "other_account"),
    "Você não está autorizado a acessar esta conta": (401, "other_account"),
    "No está autorizado a acceder a esta cuenta": (401, "other_account"),
    # For tokens of bots and of platform apps.
    "Access to this endpoint is not authorized for bots": (401, "bot_token"),
    "Bot is not authorized to access this account": (401, "bot_token"),
    "API access is not enabled for this account": (403, "feature_off"),
    # A sentence that a later version may have.
    "Ihr Zugang ist gesperrt": (401, "unauthorized"),
    "This feature is not on your plan": (403, "unauthorized"),
}
OTHERS: list[tuple[int, Any, type[PanelError], str]] = [
    (401, {"errors": [SIGN_IN]}, Unauthorized, "token_missing"),
    (401, {"errors": [SIGN_IN_JAPANESE]}, Unauthorized, "token_missing"),
    # Answers of gateways and firewalls.
    (401, {"message": "Unauthorized"}, Blocked, "blocked"),
    (403, {"message": "Forbidden"}, Blocked, "blocked"),
    (403, {"errors": [{"code": 1020}]}, Blocked, "blocked"),
    (403, {"error": {"code": 403}}, Blocked, "blocked"),
    (401, [], Blocked, "blocked"),
    *((status, None, Blocked, "blocked") for status in (401, 403, 405, 406)),
    (404, {"error": "Resource could not be found"}, Missing, "not_found"),
    (404, {"status": 404, "error": "Not Found"}, Blocked, "no_api"),
    (404, None, Blocked, "no_api"),
]


def name(status: int, body: Any) -> PanelError:
    error = name_rejection(Rejection(status, CaseInsensitiveDict(), body))
    assert error is not None
    return error


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_sentence_of_chatwoot_has_its_code_and_is_told_as_it_came(sentence: str) -> None:
    status, code = SENTENCES[sentence]
    error = name(status, {"error": sentence})
    assert isinstance(error, Unauthorized)
    assert (error.code, error.detail) == (code, sentence)


@pytest.mark.parametrize(("status", "body", "kind", "code"), OTHERS)
def test_the_form_of_an_answer_says_who_refuses(
    status: int, body: Any, kind: type[PanelError], code: str
) -> None:
    error = name(status, body)
    assert (type(error), error.code) == (kind, code)
