"""Every field × every oddity of PHP: state, rows, words, log line. The answers are raw text.

In each list a record that is right stands beside the odd one: it is always shown.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
import requests
from prometheus_client import REGISTRY
from werkzeug.wrappers import Request, Response

from panel.auth.tokens import Seal
from panel.demo.worlds import AGENT, serve
from panel.logs.events import QUIET_SECONDS
from panel.web.sections import SECTIONS
from tests.conftest import (
    API,
    Clock,
    Panel,
    panels_before,
    rows_of,
    state_of,
    words_of,
    worlds_on_sockets,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ORGANIZATION = 42
ODD, RIGHT = 1, 2
COMPANY = {"id": ORGANIZATION, "name": "Acme Ltda", "status": "publish", "country": "BR"}
# What a row says beside the field that is odd.
ROWS: dict[str, dict[str, Any]] = {
    "orders": {"status": "pending", "total": "10.00", "currency": "BRL"},
    "quotes": {"status": "sent", "total": "10.00", "currency": "BRL", "valid_until": "2031-05-15"},
    "licenses": {"status": "active", "expires_at": "2031-05-15", "product_name": "Plugin"},
}


@dataclass
class RawOffice:
    """A back office that answers with the text that it is given for each document's `data`."""

    data: dict[str, str] = field(default_factory=dict)

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        name = Request(environ).path.removeprefix(API).strip("/").partition("/")[0]
        text = f'{{"success": true, "data": {self.data[name]}, "meta": null}}'
        return Response(text, content_type="application/json")(environ, start)


@dataclass
class Bench:
    office: RawOffice
    panel: Panel

    def show(self, name: str, data: str) -> requests.Response:
        """The section, as a proven customer's agent sees it, of this `data`."""
        self.office.data["organizations" if name == "organization" else name] = data
        self.panel.clock.advance(QUIET_SECONDS + 1)
        seal = Seal(AGENT, "shared-secret", 1, 101, 301, ORGANIZATION, "proven")
        return self.panel.refresh(name, self.panel.services.seals.sign(seal))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    office = RawOffice()
    server = serve(office)
    folder = tmp_path_factory.mktemp("odd")
    with worlds_on_sockets() as worlds, panels_before(worlds, folder) as make:
        yield Bench(office, make(clock=Clock(), MIDDAG_API_URL=server.url + API))
    server.stop()


@dataclass
class Log:
    """The lines that were written, and how often each odd field was counted."""

    caplog: pytest.LogCaptureFixture
    before: Mapping[tuple[str, str], int]

    def lines(self) -> list[str]:
        records = self.caplog.records
        return [each.message for each in records if each.name == "panel.upstream.failures"]

    def counted(self) -> dict[tuple[str, str], int]:
        now = count_odd()
        return {key: now[key] - self.before.get(key, 0) for key in now}


def count_odd() -> Mapping[tuple[str, str], int]:
    """Of all hosts together: tests before this one in the process counted for other hosts."""
    counts: Counter[tuple[str, str]] = Counter()
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == "panel_upstream_odd_values_total":
                counts[sample.labels["document"], sample.labels["field"]] += int(sample.value)
    return counts


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    caplog.set_level(logging.WARNING, "panel.upstream.failures")
    return Log(caplog, count_odd())


def make_list(name: str, **fields: Any) -> str:
    """The odd record, then the right one. A value of `raw` is JSON text that goes out as it is."""
    odd = json.dumps({**ROWS[name], "id": ODD, **fields})
    odd = re.sub(r'"raw:((?:[^"\\]|\\.)*)"', lambda found: json.loads(f'"{found[1]}"'), odd)
    return f"[{odd}, {json.dumps({**ROWS[name], 'id': RIGHT})}]"


def raw(text: str) -> str:
    return f"raw:{text}"


def row_of(html: str, number: int) -> str:
    row = re.search(rf'<li[^>]* data-row="{number}".*?</li>', html, re.DOTALL)
    return words_of(row[0]) if row else ""


Oddity = tuple[Any, str | None, bool]  # what came, what the row says, does it leave a line?


# -- the table: field, what came, what the row says, does it leave a line? -------------------------

STATUSES: list[Oddity] = [
    ("Aguardando análise", "Aguardando análise", False),
    ("em_revisao", "Em revisao", False),
    ("A &amp; B", "A & B", False),
    (None, "No status", False),
    ("", "No status", False),
    (3, "unreadable: 3", True),
    (0, "unreadable: 0", True),
    (False, "unreadable: false", True),
    (True, "unreadable: true", True),
    ([], "unreadable: []", True),
    ({"value": "active"}, 'unreadable: {"value":"active"}', True),
    (["a", {"b": "c" * 40}], 'unreadable: ["a",{"b":"' + "c" * 29 + " …", True),
]

AMOUNTS: list[Oddity] = [
    (None, "amount not stated", False),
    ("", "amount not stated", False),
    ("80.5", "R$80.50", False),
    ("1.25e3", "R$1,250.00", False),
    ("1250.0000000001", "R$1,250.00", False),
    ("0.305", "R$0.305", False),
    (raw("0"), "R$0.00", False),
    (raw("100"), "amount unclear (100)", False),
    (raw("1E+3"), "amount unclear (1000)", False),
    (raw("-100"), "amount unclear (-100)", False),
    (raw("80.5"), "R$80.50", False),
    (raw("100.0"), "R$100.00", False),
    (raw("80.299999999999997"), "R$80.30", False),
    (raw("0.1000000000000000055511151231257827"), "R$0.10", False),
    (raw("1e400"), "unreadable: 1E+400", True),
    (False, "unreadable: false", True),
    (True, "unreadable: true", True),
    ([], "unreadable: []", True),
    ({"amount": "1.00"}, 'unreadable: {"amount":"1.00"}', True),
    ("1.250,00", "unreadable: 1.250,00", True),
    ("1,250.00", "unreadable: 1,250.00", True),
    ("R$ 1.250,00", "unreadable: R$ 1.250,00", True),
    ("NaN", "unreadable: NaN", True),
    ("<b>10</b>", "unreadable: <b>10</b>", True),
    ("9" * 60, "unreadable: " + "9" * 40 + " …", True),
]

NO_ENDS: tuple[Any, ...] = (None, "", 0, "0", False, [], "never", "Lifetime")
ENDS: list[Oddity] = [
    ("2031-04-01", "UNTIL Apr 1, 2031", False),
    ("2031-04-01T00:00:00Z", "UNTIL Apr 1, 2031", False),
    ("2031-04-01 00:00:00", "UNTIL Apr 1, 2031", False),
    ("2031-04-01T12:00:00-03:00", "UNTIL Apr 1, 2031", False),
    ("2031-04-02T01:30:00Z", "UNTIL Apr 1, 2031", False),
    (1932768000, "UNTIL Apr 1, 2031", False),
    ("1932768000", "UNTIL Apr 1, 2031", False),
    (raw("1932811200.0"), "UNTIL Apr 1, 2031", False),
    ({"date": "2031-04-01 00:00:00.000000", "timezone_type": 3, "timezone": "America/Sao_Paulo"},
     "UNTIL Apr 1, 2031", False),
    ({"date": "2031-04-01 12:00:00.000000", "timezone_type": 1, "timezone": "-03:00"},
     "UNTIL Apr 1, 2031", False),
    ("13/04/2031", "UNTIL Apr 13, 2031", False),
    ("2031/04/01", "UNTIL Apr 1, 2031", False),
    *((nothing, "NONE", False) for nothing in NO_ENDS),
    ("0000-00-00 00:00:00", "NONE", False),
    ("-0001-11-30T00:00:00", "NONE", False),
    ("01/04/2031", "unreadable: 01/04/2031", True),
    ("1 de abril de 2031", "unreadable: 1 de abril de 2031", True),
    ("soon", "unreadable: soon", True),
    ("-1", "unreadable: -1", True),
    ("1970-01-01", "unreadable: 1970-01-01", True),
    ("1969-12-31T21:00:00-03:00", "unreadable: 1969-12-31T21:00:00-03:00", True),
    (True, "unreadable: true", True),
    (12, "unreadable: 12", True),
    (["2031-04-01"], 'unreadable: ["2031-04-01"]', True),
    ({"date": "2031"}, 'unreadable: {"date":"2031"}', True),
]  # fmt: skip

NO_TEXTS: tuple[Any, ...] = (None, "", False, 0, [], {})
TEXTS: list[Oddity] = [
    ("Sala &amp; Cia", "Sala & Cia", False),
    ("O&#8217;Brien", "O’Brien", False),
    ("d\\'Aula", "d'Aula", False),
    ("<b>x</b>", "<b>x</b>", False),
    (2000, "2000", False),
    *((nothing, None, False) for nothing in NO_TEXTS),
    (True, None, True),
    (["x"], None, True),
    ({"rendered": "x"}, None, True),
]

CREATED: list[Oddity] = [
    ("2026-04-01 12:00:00", "Apr 1, 2026", False),
    (1775044800, "Apr 1, 2026", False),
    (False, "No date", False),
    ("0000-00-00", "No date", False),
    (None, "No date", False),
    ("1 de abril de 2026", "No date", True),
    ({"date": 3}, "No date", True),
]
COUNTS: list[Oddity] = [
    (2, "2 items", False),
    ("2", "2 items", False),
    (raw("2.0"), "2 items", False),
    (None, None, False),
    ("many", None, True),
    ({}, None, False),
    ([1], None, True),
]
NUMBERS: list[Oddity] = [
    ("1449", "#1449", False),
    (1449, "#1449", False),
    (None, "#1", False),
    ([1], "#1", True),
]
CURRENCIES: list[Oddity] = [
    ("brl", "R$10.00", False),
    ("R$", "R$10.00", False),
    ("&#82;&#36;", "R$10.00", False),
    ("KWD", "KWD10.000", False),
    ("JPY", "¥10", False),
    ("QQQ", "QQQ10.00", False),
    (None, " 10.00", False),
    ("", " 10.00", False),
    (986, " 10.00", True),
    ([], " 10.00", False),
    ({"code": "BRL"}, " 10.00", True),
]
LINES: list[Oddity] = [
    ({"731": {"product_name": "Tema &amp; Campus"}}, "Tema & Campus", False),
    ([None, {"product_name": "Tema"}], "Tema", False),
    ([{"product_name": 3}, {"product_name": "Tema"}], "Tema", False),
    (None, None, False),
    (False, None, False),
    ("none", None, True),
    (3, None, True),
]
KEYS: list[Oddity] = [
    ("ABCD-1234", "••••1234", False),
    (99991234, "••••1234", False),
    (None, None, False),
    (["ABCD-1234"], None, True),
]
LIMITS: list[Oddity] = [
    (3, "Site limit 3, use not stated", False),
    (None, "Unlimited sites", False),
    (0, "Unlimited sites", False),
    (-1, "Unlimited sites", False),
    ("-1", "Unlimited sites", False),
    ("", "Site limit not stated", False),
    (False, "Site limit not stated", False),
    ([], "Site limit not stated", False),
    ("unlimited", "Site limit not stated", True),
    ("ilimitado", "Site limit not stated", True),
    (-7, "Site limit not stated", True),
    ({"sites": 3}, "Site limit not stated", True),
]
USES: list[Oddity] = [("x", None, True), (None, None, False), (False, None, False)]
DOMAINS: list[Oddity] = [
    ({"3": "a.example"}, None, False),
    ([None], None, False),
    (None, None, False),
    ("a.example", None, True),
]
UNUSED: list[Oddity] = [(False, None, False), (1775044800, None, False), ({}, None, False)]


def fill(table: list[Oddity], **words: str) -> list[Oddity]:
    """The table with these words in its places."""
    place = re.compile("|".join(words))
    return [
        (sent, place.sub(lambda found: words[found[0]], says or "NOTHING"), odd)
        for sent, says, odd in table
    ]


FIELDS: dict[tuple[str, str], list[Oddity]] = {
    ("orders", "status"): STATUSES,
    ("quotes", "status"): STATUSES,
    ("licenses", "status"): STATUSES,
    ("orders", "total"): AMOUNTS,
    ("quotes", "total"): AMOUNTS,
    ("licenses", "expires_at"): fill(ENDS, NONE="Lifetime", UNTIL=""),
    ("quotes", "valid_until"): fill(ENDS, NONE="No end date", UNTIL="Valid until"),
    ("orders", "date_created"): CREATED,
    ("quotes", "created_at"): [(sent, None, odd) for sent, _, odd in CREATED],
    ("orders", "date_completed"): UNUSED,
    ("orders", "items_count"): COUNTS,
    ("orders", "number"): NUMBERS,
    ("orders", "currency"): CURRENCIES,
    ("orders", "payment_method"): TEXTS,
    ("quotes", "line_items"): LINES,
    ("licenses", "product_name"): fill(TEXTS, NOTHING="#1"),
    ("licenses", "license_key"): KEYS,
    ("licenses", "activations_limit"): LIMITS,
    ("licenses", "activations_count"): USES,
    ("licenses", "activated_domains"): DOMAINS,
    ("licenses", "entitlement_code"): [(3, None, False), ([1], None, True)],
}
CASES = [(*place, *oddity) for place, table in FIELDS.items() for oddity in table]


@pytest.mark.parametrize(("name", "key", "sent", "says", "odd"), CASES)
def test_an_odd_value_is_that_values_trouble(
    bench: Bench, log: Log, name: str, key: str, sent: Any, says: str | None, odd: bool
) -> None:
    answer = bench.show(name, make_list(name, **{key: sent}))
    assert (answer.status_code, state_of(answer.text)) == (200, "fresh")
    assert sorted(rows_of(answer.text)) == [ODD, RIGHT]
    row = row_of(answer.text, ODD)
    assert (says or "") in row
    assert ("unreadable" in row) is bool(says and says.startswith("unreadable"))
    assert (log.counted().get((name, key), 0) > 0) is odd
    lines = [line for line in log.lines() if f"record {ODD}: {key}: " in line]
    assert bool(lines) is odd
    text = sent if isinstance(sent, str) else json.dumps(sent)
    assert not any(len(text) > 4 and text in line for line in lines)  # no value


def test_a_line_names_organization_document_record_field_and_reason(bench: Bench, log: Log) -> None:
    bench.show("orders", make_list("orders", total="R$ 10"))
    assert log.lines() == ["127.0.0.1: orders of organization 42: record 1: total: no amount"]


def test_repeated_oddities_are_counted_and_logged_once_a_minute(bench: Bench, log: Log) -> None:
    rows = [{**ROWS["orders"], "id": number, "total": "ten"} for number in range(1, 6)]
    bench.show("orders", json.dumps(rows))
    assert len(log.lines()) == 1
    assert log.counted()["orders", "total"] == 5
    bench.show("orders", json.dumps(rows[:1]))
    assert log.lines()[1].endswith("record 1: total: no amount, and 4 more like it")


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


@pytest.mark.parametrize(("key", "sent", "says", "odd"), FACTS)
def test_an_odd_fact_hides_no_organization(
    bench: Bench, log: Log, key: str, sent: Any, says: str, odd: bool
) -> None:
    answer = bench.show("organization", json.dumps({**COMPANY, key: sent}))
    assert (answer.status_code, state_of(answer.text)) == (200, "fresh")
    assert says in f"{unescape(answer.text)} {words_of(answer.text)}"
    assert (log.counted().get(("organization", key), 0) > 0) is odd
    assert any(f"record 42: {key}: " in line for line in log.lines()) is odd


@pytest.mark.parametrize("sent", [None, "", False, [], {}, 3, {"slug": "flex"}])
def test_a_plan_is_shown_only_where_it_is_stated(bench: Bench, sent: Any) -> None:
    words = words_of(bench.show("organization", json.dumps({**COMPANY, "plan": sent})).text)
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
    said = re.search(r"(\d+) records? could not be read", words)
    assert int(said[1] if said else 0) == unread
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
    told = ask()
    assert (told["status"], told["parts"]["documents"]) == ("degraded", "unreadable")
    assert told["details"]["documents"] == "orders: wrong_shape"
    assert told["parts"]["back_office"] == "wrong_shape"
    bench.show("orders", '[{"id": 1, "status": 3}]')  # odd, and read all the same
    assert {ask()["parts"][name] for name in ("documents", "back_office")} == {"ok"}
