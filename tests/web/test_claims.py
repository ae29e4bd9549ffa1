"""Claims and trust, changes that reach panels, and texts that other people typed."""

import re

import pytest

from panel.demo.worlds import AGENT
from panel.web.sections import SECTIONS
from tests.conftest import Panel, attribute, seal_of
from tests.web.opened import AMOUNTS, attributes, panel_of, whole

# -- claims and trust ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["contact", "conversation"])
def test_a_visitor_who_claims_an_organization_gets_nothing_out_of_the_agent(
    panel: Panel, where: str
) -> None:
    visitor = panel.chat.contacts[305]
    if where == "contact":
        visitor["custom_attributes"]["middag_organization_id"] = "46"
    if where == "conversation":
        panel.chat.conversations[105]["custom_attributes"]["middag_organization_id"] = "46"
    answer = panel.open("unlinked")
    assert panel_of(answer) == ("ready", "unproven", "claimed")
    assert 'data-banner="unproven"' in answer.text
    html = answer.text + whole(panel, seal_of(answer.text)) + panel.open("unlinked").text
    assert "data-masked" in html
    office = panel.office
    hidden = [office.organizations[46]["cnpj"]]
    hidden += [row["license_key"] for row in office.rows("licenses", 46)]
    hidden += [row["license_key"][-4:] for row in office.rows("licenses", 46)]
    assert [secret for secret in hidden if secret in html] == []
    assert AMOUNTS.search(re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL)) is None


def test_an_identifier_claims_nothing_whoever_wrote_it(panel: Panel) -> None:
    panel.chat.contacts[305]["identifier"] = "middag:organization:46"
    panel.chat.conversations[105]["hmac_verified"] = True
    assert panel_of(panel.open("unlinked"))[0] == "unlinked"


def test_a_proven_customer_is_shown_in_full(panel: Panel) -> None:
    page_html = whole(panel, panel.proven("expiring"))
    assert "data-masked" not in page_html
    assert panel.office.organizations[46]["cnpj"] in page_html
    assert "R$2,690.00" in page_html
    assert 'data-copy="' + panel.office.rows("licenses", 46)[0]["license_key"] in page_html


def test_the_whole_key_stands_in_the_copy_button_only(panel: Panel) -> None:
    page = panel.section("licenses", panel.proven("healthy")).text
    key = panel.office.rows("licenses", 42)[0]["license_key"]
    assert page.count(key) == page.count(f'data-copy="{key}"') == 1


@pytest.mark.parametrize("value", ["42,45", " 42 , 45 ", "45,42,42"])
def test_several_claims_are_a_choice(panel: Panel, value: str) -> None:
    panel.chat.contacts[305]["custom_attributes"]["middag_organization_id"] = value
    assert panel_of(panel.open("unlinked"))[0] == "choose"


@pytest.mark.parametrize(
    "value", ["", "0", "-42", "42; drop", "4.2", None, [], {"a": 1}, True, 4.5, "9" * 400, "٣"]
)
def test_a_claim_that_is_no_number_claims_nothing(panel: Panel, value: object) -> None:
    panel.chat.contacts[305]["custom_attributes"]["middag_organization_id"] = value
    panel.chat.conversations[105]["custom_attributes"]["middag_organization_id"] = value
    assert panel_of(panel.open("unlinked"))[0] == "unlinked"


# -- changes ---------------------------------------------------------------------------------------


def versions(panel: Panel, seal: str) -> dict[str, str]:
    pages = {name: panel.section(name, seal).text for name in SECTIONS}
    return {name: attribute(page, "data-version") or "" for name, page in pages.items()}


def ask_changes(panel: Panel, seal: str, shown_versions: dict[str, str]) -> list[str]:
    query = ",".join(f"{name}:{version}" for name, version in shown_versions.items())
    answer = panel.ask("GET", "/changes", seal, params={"seen": query})
    assert (answer.status_code, answer.text) == (204, "")
    assert 0 < float(answer.headers["X-Panel-Next"]) <= 16.5
    return answer.headers.get("HX-Trigger", "").replace(",", " ").split()


def test_changes_names_the_touched_sections_and_asks_nobody(panel: Panel) -> None:
    seal = panel.proven("healthy")
    shown_versions = versions(panel, seal)
    panel.office.forget()
    assert ask_changes(panel, seal, shown_versions) == []
    panel.services.cache.touch(42, "orders")
    panel.services.cache.touch(42, "licenses")
    panel.services.cache.touch(43, "quotes")
    assert ask_changes(panel, seal, shown_versions) == ["touched-licenses", "touched-orders"]
    assert panel.office.calls == []


def test_what_was_read_again_is_seen_by_the_other_panels(panel: Panel) -> None:
    ours, yours = panel.proven("healthy"), panel.proven("healthy")
    shown_versions = versions(panel, ours)
    panel.office.put("orders", 42, {"id": 9, "status": "pending"})
    panel.refresh("orders", yours)
    assert ask_changes(panel, ours, shown_versions) == ["touched-orders"]


@pytest.mark.parametrize(
    "version",
    ["", ",,,", ":", "orders", "nothing:x", "x" * 5000, "orders:x," * 400, "\x00:\xff", "<b>:<b>"],
    ids=lambda text: ascii(text)[1:-1][:14] or "empty",
)
def test_whatever_the_panel_says_it_shows_changes_answers(standing: Panel, version: str) -> None:
    seal = seal_of(standing.open("healthy").text)
    answer = standing.ask("GET", "/changes", seal, params={"seen": version})
    assert answer.status_code == 204
    parts = answer.headers.get("HX-Trigger", "").replace(",", " ").split()
    assert set(parts) <= {f"touched-{name}" for name in SECTIONS}
    assert len(parts) <= len(SECTIONS)


# -- texts that other people typed
# ----------------------------------------------------------------------


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\u2066\x07\x1b{{7*7}}&#60;b"


def test_nothing_that_others_wrote_becomes_markup(panel: Panel) -> None:
    panel.office.put("organization", 42, dict.fromkeys(
        ("name", "legal_name", "cnpj", "status", "verification_status", "plan", "billing_entity",
         "city", "state", "country", "email"), EVIL))  # fmt: skip
    for number in (1, 2):
        common = {"id": number, "currency": EVIL, "total": "1.00", "payment_method": EVIL}
        panel.office.put("orders", 42, {**common, "status": EVIL})
        line = [{"product_name": EVIL}]
        panel.office.put("quotes", 42, {**common, "status": "sent", "line_items": line})
        product = {"product_name": EVIL, "license_key": EVIL, "activated_domains": [EVIL]}
        panel.office.put("licenses", 42, {"id": number, "status": "active", **product})
    contact = panel.chat.contacts[301]
    contact.update(name=EVIL, email=EVIL, phone_number=EVIL, identifier=EVIL)
    panel.chat.agents[AGENT]["name"] = EVIL
    seal = panel.proven("healthy")
    pages = [whole(panel, seal), panel.open("healthy").text]
    pages.append(panel.say(seal, "undo", 42).text)
    contact["custom_attributes"]["middag_organization_id"] = EVIL
    attributes(panel, 101)["middag_organization_id"] = EVIL
    pages.append(panel.say(seal, "refuse", 42).text)
    for page in pages:
        assert "alert(1)" in page, "the page does not show what this test is about"
        assert "<script" not in page
        assert "<img" not in page
        assert "&#39;&gt;" in page
        assert "{{7*7}}" in page
        assert "&#60;b" not in page
