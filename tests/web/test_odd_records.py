"""Organizations, lists and records that cannot be read as a whole."""

import json
import re
from html import unescape
from typing import Any

import pytest

from panel.web.sections import SECTIONS
from tests.conftest import rows_of, state_of, words_of
from tests.web.odd_office import ODD, ORGANIZATION, RIGHT, ROWS, Bench, Log, bench, log

__all__ = ["bench", "log"]  # fixtures


COMPANY = {"id": ORGANIZATION, "name": "Acme Ltda", "status": "publish", "country": "BR"}


# -- the organization ------------------------------------------------------------------------------


FACTS: list[tuple[str, Any, str, bool]] = [
    ("name", "O&#8217;Brien &amp; Filhos", "O’Brien & Filhos", False),
    ("name", None, "#42", False),
    ("name", ["Acme"], "#42", True),
    ("name", 2000, "2000", False),
    ("legal_name", {"rendered": "x"}, "Acme Ltda", True),
    ("plan", "Flex", "Plan Flex", False),
    ("plan", {"name": "Flex"}, "Plan Flex", False),
    ("billing_entity", "middag_br", "MIDDAG BR", False),
    ("billing_entity", 3, "Billing entity 3", False),
    ("billing_entity", ["x"], "Billing entity not stated", True),
    ("cnpj", "12345678000190", "CNPJ 12.345.678/0001-90", False),
    ("cnpj", 12345678000190, "CNPJ 12.345.678/0001-90", False),
    ("cnpj", False, "CNPJ not stated", False),
    ("cnpj", {"x": 1}, "CNPJ not stated", True),
    ("country", "Brasil", "CNPJ", False),
    ("country", "br", "CNPJ", False),
    ("country", "US", "EIN", False),
    ("country", ["BR"], "CNPJ", True),
    ("city", "S&atilde;o Paulo", "São Paulo", False),
    ("city", {"x": 1}, "Acme Ltda", True),
    ("status", "draft", "Status Draft", False),
    ("status", 3, "Status unreadable: 3", True),
    ("status", {"a": "b"}, 'Status unreadable: {"a":"b"}', True),
    ("verification_status", "Verificada", "Verificada", False),
    ("verification_status", 1, "Verification unreadable: 1", True),
    ("verification_status", False, "Verification unreadable: false", True),
    ("verification_status", None, "Acme Ltda", False),
    ("email", "nobody", "Acme Ltda", True),
    ("phone", ["+55"], "Acme Ltda", True),
    ("owner_id", "x", "Acme Ltda", True),
]


@pytest.mark.parametrize(("key", "value", "says", "odd"), FACTS)
def test_an_odd_fact_hides_no_organization(
    bench: Bench, log: Log, key: str, value: Any, says: str, odd: bool
) -> None:
    answer = bench.show("organization", json.dumps({**COMPANY, key: value}))
    assert (answer.status_code, state_of(answer.text)) == (200, "fresh")
    assert says in f"{unescape(answer.text)} {words_of(answer.text)}"
    assert (log.counted().get(("organization", key), 0) > 0) is odd
    assert any(f"record 42: {key}: " in line for line in log.lines()) is odd


@pytest.mark.parametrize("value", [None, "", False, [], {}, 3, {"slug": "flex"}])
def test_a_plan_is_shown_only_where_it_is_stated(bench: Bench, value: Any) -> None:
    words = words_of(bench.show("organization", json.dumps({**COMPANY, "plan": value})).text)
    assert "Plan" not in words


# -- lists and records -----------------------------------------------------------------------------


ONE = json.dumps({**ROWS["orders"], "id": ODD})
TWO = json.dumps({**ROWS["orders"], "id": RIGHT})


@pytest.mark.parametrize(
    ("data", "rows", "unread"),
    [
        (f'{{"0": {ONE}, "2": {TWO}}}', [1, 2], 0),
        (f'{{"1093": {ONE}, "7": {TWO}}}', [1, 2], 0),
        (f"[null, {ONE}, {TWO}]", [1, 2], 1),
        (f"[[], {ONE}, 3, {TWO}]", [1, 2], 2),
        (f'[{ONE}, {{"status": "pending"}}, {{"id": null}}, {{"id": "x"}}]', [1], 3),
        (f'[{ONE}, {{"id": false}}, {{"id": 1.5}}, {{"id": [2]}}, "text", true]', [1], 5),
        (ONE.replace('"id": 1', '"id": "1"').join("[]"), [1], 0),
        (ONE.replace('"id": 1', '"id": 1.0').join("[]"), [1], 0),
        *(
            (f'[{ONE}, {{"id": 9, "status": "pending", "organization_id": {owner}}}]', [1], 1)
            for owner in ("true", '"acme"', "4.5", "[42]", '{"id": 42}', '{"id": 43}')
        ),
        ("[null]", [], 1),
        ('{"4": []}', [], 1),
        *(
            (f'[{ONE[:-1]}, "organization_id": {owner}}}]', [1], 0)
            for owner in ("0", "false", '""', "null", '"0"', "[]", "42", '"42"', "42.0")
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_counted_beside_the_others(
    bench: Bench, log: Log, data: str, rows: list[int], unread: int
) -> None:
    answer = bench.show("orders", data)
    words = words_of(answer.text)
    assert (answer.status_code, state_of(answer.text)) == (200, "fresh")
    assert sorted(rows_of(answer.text)) == rows
    match = re.search(r"(\d+) records? could not be read", words)
    assert int(match[1] if match else 0) == unread
    assert log.counted().get(("orders", "id"), 0) == unread
    assert bool(log.lines()) is bool(unread)
    assert ("None among what could be read" in words) is (not rows)
    assert SECTIONS["orders"].empty not in words


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("null", "wrong_shape"),
        ("{}", "wrong_shape"),
        ('"none"', "wrong_shape"),
        ("3", "wrong_shape"),
        (ONE, "wrong_shape"),
        (f'{{"items": [{ONE}]}}', "wrong_shape"),
        (f'[{ONE}, {{"id": 9, "organization_id": 43}}]', "foreign_rows"),
        (f'[{ONE}, {{"id": 9, "organization_id": "43"}}]', "foreign_rows"),
        (f'[{ONE}, {{"organization_id": 43}}]', "foreign_rows"),
    ],
)
def test_only_the_envelope_and_foreign_records_fail_a_section(
    bench: Bench, log: Log, data: str, code: str
) -> None:
    bench.show("orders", "[]")
    answer = bench.show("orders", data)
    words = words_of(answer.text)
    assert state_of(answer.text) == "late"
    assert f"Code: {code}" in words
    assert [line for line in log.lines() if f"orders 42: {code}" in line]


def test_a_document_that_cannot_be_read_is_a_part_of_readyz_until_it_can(bench: Bench) -> None:
    def ask() -> Any:
        return bench.panel.ask("GET", "/readyz").json()

    bench.show("orders", "[]")
    assert ask()["parts"]["documents"] == "ok"
    bench.show("orders", "3")
    answer = ask()
    assert (answer["status"], answer["parts"]["documents"]) == ("degraded", "unreadable")
    assert answer["details"]["documents"] == "orders: wrong_shape"
    assert answer["parts"]["back_office"] == "wrong_shape"
    bench.show("orders", '[{"id": 1, "status": 3}]')  # odd, and read all the same
    assert {ask()["parts"][name] for name in ("documents", "back_office")} == {"ok"}
