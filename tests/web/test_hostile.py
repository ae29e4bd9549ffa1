"""Texts that others typed, in every field of both worlds: shown as text, and turning only
themselves."""

import re
from contextlib import suppress
from typing import Any

import pytest

from panel.demo.worlds import AGENT
from panel.errors import GiveUp
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, seal_of
from tests.learning import learn

MARK = "typed"
TYPED = {
    "a script": f"<script>{MARK}()</script><img src=x onerror={MARK}()>",
    "an attribute's end": f"{MARK}\"'><b onclick={MARK}()>",
    "a template": f"{MARK}{{{{ 7*7 }}}}{{% raw %}}",
    "control characters": f"{MARK}\x00\x01\x07\x08\x1b[31m\x7f\x85",
    "line breaks": f"{MARK}\r\nX-Evil: 1\r\n\r\n\u2028\u2029",
    "marks of direction": f"\u202e{MARK}\u2066\u200f",
    "half a character": f"{MARK}\ud800\udfff",
    "letters from right to left": f"{MARK} שלום مرحبا",
    "a very long word": f"{MARK}{'Sociedade' * 400}",
}
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]|<script|<img|<b ")
TURNED = re.compile("[\u202a-\u202e\u2066-\u2069]")


def fill(panel: Panel, text: str) -> None:
    office, chat = panel.office, panel.chat
    for name in ("name", "legal_name", "cnpj", "verification_status", "plan", "billing_entity",
                 "email", "phone", "city", "state", "country", "status"):  # fmt: skip
        office.organizations[42][name] = text
    for row in office.orders[42][:3]:
        row |= {"status": text, "currency": text, "payment_method": text}
    for row in office.quotes[42][:2]:
        row |= {"currency": text, "line_items": [{"product_name": text}]}
    for row in office.licenses[42]:
        row |= {"product_name": text, "license_key": text, "entitlement_code": text}
    for row in office.entitlements[42]:
        row |= {"code": text, "product_name": text, "class": text}
    for row in office.collaborators[42]:
        row |= {"role": text, "name": text, "phone": text}
    chat.agents[AGENT]["name"] = text
    attributes = {"middag_organization_id": "42", "middag_organization": text, text: text}
    chat.contacts[301] |= {"name": text, "phone_number": text, "custom_attributes": attributes}
    chat.conversations[101] |= {"custom_attributes": {"middag_organization": text}}
    chat.contacts[305] |= {"name": text, "email": text, "phone_number": text, "identifier": text}
    chat.contacts[305]["custom_attributes"] = {"middag_organization_id": text}
    chat.conversations[105]["custom_attributes"] = {"middag_organization_id": [text, {text: 1}]}


def pages(panel: Panel) -> list[str]:
    first = panel.open()
    seal = seal_of(first.text)
    unsure = [panel.section(name, seal, wait=1) for name in SECTIONS]
    uncovered = panel.ask("POST", "/uncover", seal, data={"section": "orders", "reason": "why"})
    pick_answer = panel.say(seal, "pick", 42, "contact")
    seal = seal_of(pick_answer.text)
    sure = [panel.section(name, seal) for name in SECTIONS]
    hits = panel.ask("GET", "/search", seal, params={"q": MARK})
    refusal = panel.say(seal, "refuse", 42)
    nobody = panel.open("unlinked")
    answers = [first, *unsure, uncovered, pick_answer, *sure, hits, refusal, nobody]
    assert {answer.status_code for answer in answers} == {200}
    assert not [name for answer in answers for name in answer.headers if "Evil" in name]
    return [answer.content.decode() for answer in answers]


@pytest.mark.parametrize("text", TYPED)
def test_what_others_typed_is_shown_as_text_everywhere(panel: Panel, text: str) -> None:
    fill(panel, TYPED[text])
    with suppress(GiveUp):  # Chatwoot refuses such an e-mail, and the pass goes on with the rest
        learn(panel, 42)
    html = pages(panel)
    assert sum(MARK in page for page in html) > 8, "the pages do not show what this is about"
    for page in html:
        assert not FORBIDDEN.search(page)
        assert "49" not in re.findall(r"typed(\d+)", page)
        assert not TURNED.search(re.sub(r"<bdi>.*?</bdi>|=\"[^\"]*\"", "", page))


@pytest.mark.parametrize(
    "number",
    ["../../admin", "1@evil.example", "//evil.example", "1?x=<script>", "javascript:1", 1.5],
)
def test_an_id_that_is_no_number_reaches_no_link(make_panel: MakePanel, number: Any) -> None:
    names = ("ORGANIZATION", "ORDER", "QUOTE", "LICENSE")
    template = "https://account.example/records/{id}?from=chat"
    panel = make_panel(**{f"MIDDAG_LINK_{name}": template for name in names})
    seal = panel.proven()
    panel.office.organizations[42]["id"] = number
    for rows in (panel.office.orders, panel.office.quotes, panel.office.licenses):
        rows[42][0]["id"] = number
    for name in SECTIONS:
        page = panel.refresh(name, seal).text
        for link in re.findall(r'<a href="([^"]*)"', page):
            assert re.fullmatch(r"https://account\.example/records/[0-9]+\?from=chat", link)
