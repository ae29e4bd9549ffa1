"""The table of disclosure: canaries of every kind are planted, and searched in every place."""

import re
from itertools import product

import pytest

from panel.customer.disclosure import (
    AMOUNT,
    EMAIL,
    FREE_TEXT,
    LICENSE_KEY,
    MASKED,
    NOTHING,
    PHONE_NUMBER,
    TAX_ID,
    VALUE_KINDS,
    masked_kinds,
)
from panel.environment.variables import MASK_NAMES
from panel.web import labels
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, attribute, seal_of
from tests.learning import learn

# The text of each kind as it would be drawn or copied; for a key also its end.
CANARIES = {
    # Orders, their total, a quote; in opened rows: prices, subtotal, tax, and the text of a note.
    AMOUNT: ("7,341.17", "1,000.01", "8,341.18", "2,452.28", "6,111.17", "1,230.99", "31,337.5"),
    TAX_ID: ("98.765.432/0001-98",),
    LICENSE_KEY: ("CANARY-KEY-9Z8Y", "9Z8Y"),
    EMAIL: ("canary.company@acme.example", "canary.person@acme.example"),
    PHONE_NUMBER: ("3322-7788", "+556133227788", "97777-6655", "+5561977776655"),
    FREE_TEXT: ("canary of a note", "canary of a reason", "canary in an object"),
}
SHOWN = (AMOUNT, TAX_ID, LICENSE_KEY, FREE_TEXT)  # the kinds in sections
# The kinds in opened rows; no phone of the back office is drawn anywhere.
OPENED = (AMOUNT, EMAIL, FREE_TEXT)
ROWS = {"orders": 1, "quotes": 3, "licenses": 4, "organization": 42}
SENTENCES = {
    "unproven": "Amounts, tax ID and license keys are hidden.",
    "secrets": "Tax ID and license keys are hidden.",
    "never": None,
}
BUTTONS = {
    "unproven": {"organization", "orders", "quotes", "licenses"},
    "secrets": {"organization", "licenses"},
    "never": set(),
}


def plant(panel: Panel, organization: int) -> None:
    office = panel.office
    for section in ("orders", "quotes", "licenses"):
        getattr(office, section)[organization].clear()
    document = office.organizations[organization]
    document |= {"cnpj": CANARIES[TAX_ID][0], "email": CANARIES[EMAIL][0]}
    document |= {"phone": "+55 61 3322-7788"}
    money = {"status": "pending", "currency": "BRL"}
    lines = [{"product_name": "Plugin", "quantity": 3, "unit_price": "6111.17"}]
    bill = {"line_items": lines, "subtotal": "6111.17", "tax_total": "1230.99"}
    office.put("orders", organization, {"id": 1, "total": "7341.17", **money, **bill})
    office.put("orders", organization, {"id": 2, "total": "1000.01", **money})
    office.put("orders", organization, {"id": 5, "status": {"typed": CANARIES[FREE_TEXT][2]}})
    fields = {"status": "sent", "valid_until": None}
    notes, reason = CANARIES[FREE_TEXT][:2]
    typed = {
        "notes": f"Desconto de 31,337.5, {notes}",
        "rejection_reason": f"31,337.5 é caro, {reason}",
    }
    quote = {"id": 3, "total": "2452.28", "currency": "BRL", "line_items": lines, **typed}
    office.put("quotes", organization, {**quote, **fields})
    key = {"license_key": CANARIES[LICENSE_KEY][0], "status": "active"}
    office.put("licenses", organization, {"id": 4, "product_name": "Plugin", **key})
    person = office.rows("collaborators", organization)[0]
    person |= {"email": CANARIES[EMAIL][1], "phone": "+55 61 97777-6655"}


def look_everywhere(panel: Panel, scenario: str) -> dict[str, str]:
    """Return every place that draws this customer, by name; the second opening draws from
    copies."""
    first = panel.open(scenario).text
    seal = seal_of(first)
    places = {"first opening": first}
    for name in SECTIONS:
        places[name] = panel.section(name, seal, wait=1).text
        places[f"{name}, refreshed"] = panel.refresh(name, seal).text
        places[f"{name}, opened"] = open_row(panel, name, seal)
    places["second opening"] = panel.open(scenario).text
    places["search"] = panel.ask("GET", "/search", seal, params={"q": "acme"}).text
    places["picked"] = panel.say(seal, "pick", 42).text
    places["undone"] = panel.say(seal, "undo", 42).text
    return places


def open_row(panel: Panel, name: str, seal: str) -> str:
    return panel.ask("GET", f"/rows/{name}/{ROWS[name]}", seal).text


def find_shown(text: str) -> set[str]:
    return {kind for kind, words in CANARIES.items() if any(word in text for word in words)}


@pytest.mark.parametrize(("mask", "is_proven"), list(product(MASK_NAMES, (False, True))))
def test_no_place_shows_a_kind_that_is_masked(
    make_panel: MakePanel, mask: str, is_proven: bool
) -> None:
    panel = make_panel(PANEL_MASK=mask)
    plant(panel, 42)
    learn(panel, 42)
    if is_proven:
        panel.prove("healthy", 42)
    places = look_everywhere(panel, "healthy")
    trust = "proven" if is_proven else "unproven"
    assert attribute(places["first opening"], "data-trust") == trust
    masked = masked_kinds(mask, trust)
    assert 'data-result="42"' in places["search"]
    for place, text in places.items():
        assert find_shown(text) & masked == set(), place
    assert ('class="totals"' in places["orders"]) is (AMOUNT not in masked)
    # The values that are not masked are shown: otherwise the canaries would prove nothing.
    assert find_shown("".join(places.values())) == {*SHOWN, *OPENED} - masked
    assert find_shown(places["second opening"]) == set(SHOWN) - masked


@pytest.mark.parametrize("mask", MASK_NAMES)
def test_a_choice_masks_by_the_same_table(make_panel: MakePanel, mask: str) -> None:
    panel = make_panel(PANEL_MASK=mask)
    plant(panel, 42)
    panel.section("organization", panel.proven("healthy"))  # a copy to draw
    html = panel.open("two").text
    assert attribute(html, "data-panel") == "choose"
    assert find_shown(html) == {TAX_ID} - masked_kinds(mask, "unproven")
    assert ("View, data hidden" in html) is (mask != "never")


@pytest.mark.parametrize("mask", MASK_NAMES)
def test_the_banner_and_the_buttons_say_what_is_hidden(make_panel: MakePanel, mask: str) -> None:
    panel = make_panel(PANEL_MASK=mask)
    plant(panel, 42)
    html = look_everywhere(panel, "healthy")["second opening"]
    banner = html.partition('data-banner="unproven"')[2].partition("</details>")[0]
    assert "Not verified: do not disclose." in banner
    sentences = {sentence for sentence in SENTENCES.values() if sentence and sentence in banner}
    assert sentences == {SENTENCES[mask]} - {None}
    assert set(re.findall(r'class="uncover" id="uncover-(\w+)-', html)) == BUTTONS[mask]
    words = {"unproven": "Show CNPJ and e-mails", "secrets": "Show CNPJ"}.get(mask)
    button = re.search(r">(Show CNPJ[^<]*)</button>", html)
    assert (button[1] if button else None) == words


@pytest.mark.parametrize("mask", MASK_NAMES)
def test_what_is_hidden_in_a_section_and_its_rows_is_what_it_uncovers(
    make_panel: MakePanel, mask: str
) -> None:
    panel = make_panel(PANEL_MASK=mask)
    plant(panel, 42)
    seal = seal_of(panel.open("healthy").text)
    for name, section in SECTIONS.items():
        form = {"section": name, "reason": "named the order"}
        answer = panel.ask("POST", "/uncover", seal, data=form).text
        assert "data-masked" not in answer
        assert ("data-uncovered" in answer) is (mask != "never")
        row = open_row(panel, name, attribute(answer, "data-seal") or seal)
        assert "data-masked" not in row
        assert find_shown(answer + row) - {FREE_TEXT} == section.reveals
        for other in set(SECTIONS) - {name}:
            hidden_kinds = masked_kinds(mask, "unproven") & {*SECTIONS[other].reveals, FREE_TEXT}
            reached = open_row(panel, other, attribute(answer, "data-seal") or seal)
            assert find_shown(reached) & hidden_kinds == set()


@pytest.mark.parametrize("mask", MASK_NAMES)
def test_notes_have_a_button_of_their_own_where_their_section_has_none(
    make_panel: MakePanel, mask: str
) -> None:
    panel = make_panel(PANEL_MASK=mask)
    plant(panel, 42)
    seal = seal_of(panel.open("healthy").text)
    button = 'id="uncover-notes-3"'
    page, row = panel.section("quotes", seal, wait=1).text, open_row(panel, "quotes", seal)
    assert ("data-masked" in row) is (mask != "never")
    assert (button in row) is (mask == "secrets")
    form = {"section": "quotes", "reason": "named the quote"}
    answer = panel.ask("POST", "/uncover", seal, data=form).text
    row = open_row(panel, "quotes", attribute(answer, "data-seal") or seal)
    assert find_shown(row) >= {FREE_TEXT}
    assert button not in row
    if mask != "never":  # the place of the row is another one, so that it is asked for anew
        assert 'id="in-quotes-3-masked"' in page
        assert 'id="in-quotes-3"' in answer


def test_the_table_has_a_row_for_every_mask_and_masks_nothing_of_who_is_proven() -> None:
    assert tuple(MASKED) == MASK_NAMES
    assert {
        "unproven": VALUE_KINDS,
        "secrets": {TAX_ID, LICENSE_KEY, FREE_TEXT},
        "never": NOTHING,
    } == MASKED
    for mask in MASK_NAMES:
        assert masked_kinds(mask, "proven") == NOTHING
        for trust in ("unproven", "", "Proven", "proved"):
            assert masked_kinds(mask, trust) == MASKED[mask]


def test_a_sentence_says_what_each_mask_hides() -> None:
    assert set(labels.HIDDEN_KINDS) == {kinds for kinds in MASKED.values() if kinds}


def test_canaries_are_of_every_kind() -> None:
    assert set(CANARIES) == VALUE_KINDS
    revealed = {kind for section in SECTIONS.values() for kind in section.reveals}
    assert revealed | {FREE_TEXT} == {*SHOWN, *OPENED}
