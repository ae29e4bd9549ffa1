"""The contents of an opened row: people, the chain of records, and texts that others typed."""

import re
from typing import Any

import pytest

from tests.conftest import Panel, seal_of, state_of, words_of
from tests.learning import learn
from tests.web.opened_rows import RECORDS, ask
from tests.web.test_hostile import FORBIDDEN, MARK, TURNED, TYPED

# -- people ----------------------------------------------------------------------------------------


def mark_of_the_writer(panel: Panel, seal: str) -> str:
    html = ask(panel, "organization", 42, seal).text
    marked = re.findall(r'<li data-person="(\d+)">(?:(?!</li>).)*data-writing', html, re.DOTALL)
    assert marked == ["4201"]
    return words_of(re.search(r"data-writing>([^<]*)<", html)[1])  # type: ignore[index]


def test_who_is_writing_is_marked_and_verified_only_where_it_is_proven(panel: Panel) -> None:
    learn(panel, 42)
    assert mark_of_the_writer(panel, seal_of(panel.open().text)) == "Writing now, not verified"
    assert mark_of_the_writer(panel, panel.proven()) == "Writing now"


def test_an_agent_who_knows_the_writer_proves_nobody(panel: Panel) -> None:
    learn(panel, 42)
    word = {"known": 1, "reason": "my aunt"}
    known = panel.ask("POST", "/verify", seal_of(panel.open().text), data=word)
    assert 'data-trust="proven"' in known.text  # everything is shown
    assert mark_of_the_writer(panel, seal_of(known.text)) == "Writing now, not verified"


def test_an_address_and_a_tax_id_are_in_no_name(panel: Panel) -> None:
    """WordPress calls people by their e-mail, and in Brazil sole traders by their CPF."""
    people = panel.office.rows("collaborators", 42)
    people[0]["name"] = "ana.souza@canary.example"
    people[1]["name"] = "Bruno Souza 52998224725 (bruno@canary.example)"
    panel.office.organizations[42]["name"] = "Acme vendas@canary.example"
    seal = seal_of(panel.open().text)
    answer = ask(panel, "organization", 42, seal)
    for text in (answer.text, panel.section("organization", seal).text, panel.open().text):
        assert "canary.example" not in text
        assert "52998224725" not in text
    assert "Bruno Souza" in answer.text


def test_the_owner_is_who_the_organization_names(panel: Panel) -> None:
    for row in panel.office.collaborators[42]:
        row["role"] = "member"
    panel.office.organizations[42]["owner_id"] = 4203
    html = ask(panel, "organization", 42, panel.proven()).text
    first = html.partition("<li")[2].partition("</li>")[0]
    assert 'data-person="4203"' in first
    assert html.count("data-owner") == 1
    assert "data-owner" in first


def test_ten_people_are_shown_and_the_rest_stands_behind_one_line(panel: Panel) -> None:
    people = panel.office.collaborators[42]
    people[:] = [{**people[2], "id": at, "email": f"p{at:03}@acme.example"} for at in range(1, 16)]
    html = ask(panel, "organization", 42, panel.proven()).text
    first, _, rest = html.partition('<details class="more"')
    assert (first.count("data-person"), rest.count("data-person")) == (10, 5)
    assert "5 more people" in rest


def test_nobody_and_an_unreadable_list_are_told_apart(panel: Panel) -> None:
    panel.office.collaborators[42][:] = []
    assert "data-empty" in ask(panel, "organization", 42, panel.proven()).text
    panel.office.collaborators[42][:] = [{"email": "no-id@acme.example"}]
    html = ask(panel, "organization", 42, panel.proven(), again=1).text
    assert "data-empty" not in html
    assert "1 record could not be read" in words_of(html)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"can_manage_finances": "1", "can_manage_orders": "0"}, "member · manages finances"),
        ({"can_manage_finances": 1, "can_manage_orders": True}, "manages finances, orders"),
        ({"can_manage_finances": "", "can_manage_orders": None}, "manages nothing"),
        ({}, "member"),
        ({"status": "inactive"}, "member · Inactive"),
        ({"status": "on_leave"}, "member · On leave"),
        ({"invite_status": "expired"}, "member · the invitation has expired"),
        ({"role": "supervisor"}, "supervisor"),
    ],
)
def test_rights_are_read_in_every_form_that_php_writes(
    panel: Panel, fields: dict[str, Any], words: str
) -> None:
    panel.office.collaborators[42][:] = [
        {"id": 1, "email": "a@b.example", "role": "member", **fields}
    ]
    opened_words = words_of(ask(panel, "organization", 42, panel.proven()).text)
    assert opened_words.endswith(words)


def test_a_past_day_of_a_quote_is_not_counted_as_validity(panel: Panel) -> None:
    seal = panel.proven()
    assert "Valid until" in words_of(ask(panel, "quotes", 4203, seal).text)
    assert "ago" not in words_of(ask(panel, "quotes", 4203, seal).text)
    assert "in 6 days" in words_of(ask(panel, "quotes", 4202, seal).text)


def test_a_status_that_nobody_knows_is_words_in_an_opened_row_too(panel: Panel) -> None:
    for entitlement in panel.office.entitlements[42]:
        entitlement["status"] = "under_review"
    words = words_of(ask(panel, "licenses", 4203, panel.proven()).text)
    assert "Entitlement PLG-2026044203 Under review" in words


# -- the chain -------------------------------------------------------------------------------------


def test_an_open_order_of_the_entitlement_is_no_paid_one(panel: Panel) -> None:
    grant = [{"id": 4203}]
    panel.office.put("orders", 42, {"id": 9001, "status": "pending", "entitlements": grant})
    words = words_of(ask(panel, "licenses", 4203, panel.proven()).text)
    paid, _, rest = words.partition("Other orders")
    assert "#9001 Awaiting payment" in rest
    assert "#9001" not in paid


@pytest.mark.parametrize("status", ["paid", "fulfilled", "rejected", "expired", "draft"])
def test_a_quote_that_is_not_open_renews_nothing(panel: Panel, status: str) -> None:
    panel.office.quotes[42][1]["status"] = status
    assert "to renew" not in ask(panel, "licenses", 4203, panel.proven()).text


def test_a_quote_of_the_same_product_that_names_another_entitlement_renews_nothing(
    panel: Panel,
) -> None:
    panel.office.quotes[42][1]["entitlement_ids"] = [4299]
    assert "to renew" not in ask(panel, "licenses", 4203, panel.proven()).text


def test_a_back_office_without_the_chain_tells_none(panel: Panel) -> None:
    """The routes may be missing, or closed to this secret's user."""
    panel.office.licenses[42][2]["entitlement_id"] = 999
    answer = ask(panel, "licenses", 4203, panel.proven())
    assert (answer.status_code, state_of(answer.text)) == (200, "fresh")
    assert "Entitlement PLG-2026044203" in words_of(answer.text)
    assert "Paid by" not in answer.text


@pytest.mark.parametrize(
    ("section", "number"),
    [("licenses", 4203), ("orders", 4201), ("quotes", 4202), ("organization", 42)],
)
def test_a_status_stands_apart_from_what_it_is_about(
    panel: Panel, section: str, number: int
) -> None:
    html = ask(panel, section, number, panel.proven()).text
    assert not re.search(r"(?:[^\s>]|</a>|</bdi>)<span class=\"badge", html)


# -- texts that others typed
# ----------------------------------------------------------------------------


@pytest.mark.parametrize("subject", TYPED)
def test_what_others_typed_is_shown_as_text_in_opened_rows(panel: Panel, subject: str) -> None:
    text, office = TYPED[subject], panel.office
    line = {"product_name": text, "quantity": 2, "unit_price": text, "total": None}
    office.orders[42][3] |= {"line_items": [line, text], "entitlements": [text, {"code": text}]}
    office.orders[42][3] |= {"payment_method": text, "subtotal": text, "currency": text}
    office.quotes[42][1] |= {"notes": [text, text], "company": text, "rejection_reason": text}
    office.licenses[42][2] |= {"activated_domains": [text], "product_name": text}
    for row in office.entitlements[42]:
        row |= {"code": text, "status": text}
    for row in office.collaborators[42]:
        row |= {"name": text, "role": text, "status": text, "invite_status": text}
    seal = panel.proven()
    pages = [ask(panel, name, at, seal).content.decode() for name, at in RECORDS.items()]
    assert all(MARK in page for page in pages)
    for page in pages:
        assert not FORBIDDEN.search(page)
        assert not TURNED.search(re.sub(r"<bdi>.*?</bdi>|=\"[^\"]*\"", "", page))


@pytest.mark.parametrize("value", [None, "", [], {}, 0, False, "x", {"a": 1}, [None, 7, [], {}]])
def test_a_field_in_any_form_breaks_no_row(panel: Panel, value: Any) -> None:
    fields = ("line_items", "entitlements", "notes", "subtotal", "tax_total", "payment_method",
              "company", "order_id", "entitlement_ids", "rejection_reason", "updated_at",
              "date_completed", "activated_domains", "can_manage_orders")  # fmt: skip
    for rows in (panel.office.orders, panel.office.quotes, panel.office.licenses,
                 panel.office.collaborators):  # fmt: skip
        for row in rows[42]:
            row.update(dict.fromkeys(fields, value))
    seal = panel.proven()
    for name, at in RECORDS.items():
        answer = ask(panel, name, at, seal)
        assert (answer.status_code, state_of(answer.text)) == (200, "fresh"), name


def test_internal_fields_and_notes_are_never_shown(panel: Panel) -> None:
    secret = "INTERNAL-CANARY"
    hidden = {
        "internal_notes": secret,
        "private_note": secret,
        "cost": secret,
        "meta_data": [{"v": secret}],
    }
    order, quote = panel.office.orders[42][3], panel.office.quotes[42][1]
    order |= {**hidden, "notes": secret, "billing_address": {"email": secret}}
    order["line_items"] = [{"product_name": "Plugin", **hidden}]
    quote |= hidden
    quote["notes"] = [
        {"note": secret},
        {"note": secret, "customer_note": False},
        {"note": "Para o cliente", "customer_note": True},
    ]
    seal = panel.proven()
    pages = [ask(panel, name, at, seal).text for name, at in RECORDS.items()]
    assert not any(secret in page for page in pages)
    assert "Para o cliente" in pages[1]
