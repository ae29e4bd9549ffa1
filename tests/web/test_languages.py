"""The language of a panel: Chatwoot's for this agent, the browser's, or the setting's."""

import re

import pytest
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.chatwoot import Failure
from tests.conftest import MakePanel, Panel, seal_of, words_of

ENGLISH, PORTUGUESE = {"Accept-Language": "en-US,en;q=0.9"}, {"Accept-Language": "pt-BR"}
ACCOUNT = "/api/v1/accounts/1"


def opened(panel: Panel, headers: dict[str, str]) -> requests.Response:
    key = derive_launch_key(panel.settings.secret)
    return panel.ask("POST", "/contact", key, data=panel.hints(), headers=headers)


def asked(panel: Panel) -> int:
    return len([call for call in panel.chat.calls if call.path == ACCOUNT])


def test_a_panel_speaks_the_language_of_the_account_whatever_the_browser_wants(
    panel: Panel,
) -> None:
    panel.chat.locale = "pt_BR"
    page = opened(panel, ENGLISH)
    assert page.headers["Content-Language"] == "pt-BR"
    assert "não verificado" in page.text
    assert "Não foi possível copiar" in page.text  # the page's own words come along
    section = panel.ask("GET", "/sections/orders", seal_of(page.text), headers=PORTUGUESE)
    assert "Aguardando pagamento" in section.text


def test_a_page_that_stands_in_the_right_language_is_told_nothing_and_nobody_is_asked_again(
    panel: Panel,
) -> None:
    panel.chat.locale = "pt_BR"
    opened(panel, ENGLISH)
    page = opened(panel, PORTUGUESE)
    assert "Content-Language" not in page.headers
    assert "own-words" not in page.text
    shell = panel.ask("GET", "/", headers=ENGLISH)
    assert '<html lang="pt-BR">' in shell.text
    assert asked(panel) == 1


def test_a_shell_asks_nobody(panel: Panel) -> None:
    panel.chat.locale = "pt_BR"
    assert '<html lang="en">' in panel.ask("GET", "/", headers=ENGLISH).text
    assert panel.calls == 0


@pytest.mark.parametrize("locale", ["es", "", None])
def test_where_chatwoot_speaks_no_language_of_ours_the_browsers_counts(
    panel: Panel, locale: str | None
) -> None:
    panel.chat.locale = locale
    page = opened(panel, PORTUGUESE)
    assert "não verificado" in page.text
    assert "Content-Language" not in page.headers


def test_an_account_that_cannot_be_read_delays_no_panel_and_is_not_asked_at_each(
    make_panel: MakePanel,
) -> None:
    panel = make_panel()
    panel.chat.failures = lambda call: Failure(500, False) if call.path == ACCOUNT else None
    for _ in range(3):
        assert "não verificado" in opened(panel, PORTUGUESE).text
    assert asked(panel) <= 2  # one call is tried once more


def test_who_is_refused_reads_it_in_the_language_of_the_account(panel: Panel) -> None:
    panel.chat.locale = "pt_BR"
    opened(panel, ENGLISH)
    refusal = panel.ask("POST", "/contact", data=panel.hints(), headers=ENGLISH)
    assert refusal.status_code == 403
    assert re.search("Reabra a aba no Chatwoot", refusal.text)


@pytest.mark.parametrize(
    ("headers", "sites"), [(ENGLISH, "1 of 1 site"), (PORTUGUESE, "1 de 1 site")]
)
def test_a_license_of_one_site_is_counted_in_the_singular(
    panel: Panel, headers: dict[str, str], sites: str
) -> None:
    single = {"status": "active", "activations_count": 1, "activations_limit": 1}
    panel.office.put("licenses", 42, {"id": 3, **single})
    seal = panel.proven()
    texts = [
        words_of(panel.ask("GET", path, seal, headers=headers).text)
        for path in ("/sections/licenses", "/rows/licenses/3")
    ]
    assert [text for text in texts if not re.search(rf"{sites}\b", text)] == []


@pytest.mark.parametrize(
    ("headers", "words"),
    [(ENGLISH, "5 days ago (1 more like it)"), (PORTUGUESE, "há 5 dias (mais 1 caso)")],
)
def test_further_records_are_not_read_as_further_days(
    panel: Panel, headers: dict[str, str], words: str
) -> None:
    seal = panel.proven("expiring")
    for name in ("licenses", "orders", "quotes", "organization"):
        panel.section(name, seal)
    assert words in words_of(panel.ask("GET", "/attention", seal, headers=headers).text)


@pytest.mark.parametrize(
    ("languages", "language", "money"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR", "R$\xa01.250,00"),
        ("en-US,en;q=0.9", "en", "R$1,250.00"),
        ("de", "en", "R$1,250.00"),
        ("en;q=0.1,pt-BR;q=0.9", "pt-BR", "R$\xa01.250,00"),
        ("*;q=x,,;;=", "en", "R$1,250.00"),
        ("x" * 4000, "en", "R$1,250.00"),
    ],
    ids=lambda text: str(text)[:10],
)
def test_the_language_is_the_browsers(
    standing: Panel, languages: str, language: str, money: str
) -> None:
    headers = {"Accept-Language": languages}
    shell = standing.ask("GET", "/", headers=headers)
    assert f'<html lang="{language}">' in shell.text
    page = standing.ask("GET", "/sections/orders", standing.proven(), headers=headers)
    assert money in page.text


@pytest.mark.parametrize(("languages", "language"), [("en", "en"), ("de", "pt-BR"), ("", "pt-BR")])
def test_the_setting_speaks_where_the_browser_names_no_language_of_ours(
    make_panel: MakePanel, languages: str, language: str
) -> None:
    panel = make_panel(PANEL_LOCALE="pt_BR")
    shell = panel.ask("GET", "/", headers={"Accept-Language": languages})
    assert f'<html lang="{language}">' in shell.text
