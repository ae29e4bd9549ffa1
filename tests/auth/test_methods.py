"""The table of methods has a row for each proof; a POST from another origin is refused."""

import re

import pytest

from panel.auth.methods import METHODS
from panel.auth.tokens import ACCEPTED_PROOFS, derive_launch_key
from panel.demo.worlds import ADMIN_TOKEN, AGENT_TOKEN, SECRET
from panel.environment.variables import PROOF_NAMES
from tests.auth.browsers import (
    BRUNO,
    Browser,
    address,
    browser,
    dashboard,
    forgetful,
    panels,
    session,
    shown,
    signing,
)
from tests.conftest import MakePanel, Panel

__all__ = ["browser", "panels", "signing"]  # fixtures


def test_each_proof_of_the_settings_has_its_row() -> None:
    assert tuple(ACCEPTED_PROOFS) == PROOF_NAMES
    assert {name for names in ACCEPTED_PROOFS.values() for name in names} == set(METHODS)


# -- Origin ----------------------------------------------------------------------------------------


def posts(panel: Panel) -> list[str]:
    """Return every POST route of the reading wing."""
    rules = [rule for rule in panel.app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    own_rules = [rule.rule for rule in rules if rule.endpoint.startswith("panel.")]
    return [re.sub(r"<[^>]*>", "orders", rule) for rule in own_rules]


FOREIGN = ["https://evil.example", "null", "", "file://", "{url}.evil.example", "https{rest}"]


@pytest.mark.parametrize("proof", ACCEPTED_PROOFS)
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_post_from_a_page_of_another_origin_is_refused(
    panels: dict[str, Panel], proof: str, origin: str
) -> None:
    panel = forgetful(panels[proof])
    stated_origin = origin.format(url=panel.url, rest=panel.url.removeprefix("http"))
    cookies = f"{session(SECRET, BRUNO)}; {dashboard()}"
    assert {"/contact", "/sign-in", "/sign-out", "/links"} <= set(posts(panel))
    for path in posts(panel):
        headers = {"Origin": stated_origin, "Cookie": cookies}
        form = {**panel.hints(), "token": AGENT_TOKEN}
        answer = panel.ask("POST", path, derive_launch_key(SECRET), data=form, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin"), path
        assert "Set-Cookie" not in answer.headers
    assert panel.calls == 0


def test_a_post_without_an_origin_counts_where_no_cookie_proves(panels: dict[str, Panel]) -> None:
    for proof in ACCEPTED_PROOFS:
        browser = Browser(panels[proof], address(), dashboard(), origin=None)
        answer = browser.post("/contact", derive_launch_key(SECRET), **browser.panel.hints())
        if proof == "shared-secret":
            assert shown(answer)[0] == "ready"
        else:
            assert answer.json()["error"]["code"] == "foreign_origin"


def test_the_origin_of_the_panels_address_is_our_own_behind_a_proxy_that_says_nothing(
    make_panel: MakePanel,
) -> None:
    panel = make_panel(
        PANEL_AGENT_PROOF="access-token", PANEL_URL="https://Panel.Example.com:443/x"
    )
    ours = Browser(panel, cookies=session(SECRET, BRUNO), origin="https://panel.example.com")
    assert shown(ours.open())[0] == "ready"


def test_behind_a_proxy_the_origin_is_compared_with_the_address_that_the_browser_has(
    signing: Panel,
) -> None:
    forwarding = {"X-Forwarded-Host": "panel.example.com", "X-Forwarded-Proto": "https"}
    for origin, status in (("https://panel.example.com", 200), ("http://panel.example.com", 403)):
        headers = {**forwarding, "Origin": origin, "Cookie": session(SECRET, BRUNO)}
        answer = signing.ask("POST", "/contact", data=signing.hints(), headers=headers)
        assert answer.status_code == status


def test_the_service_token_signs_in_only_as_the_service_itself(browser: Browser) -> None:
    """A holder of our own token is an administrator anyway; the token names nobody else."""
    browser.sign_in(ADMIN_TOKEN)
    assert shown(browser.open())[1] == "another_agent"
