"""The lines that need a word: which there are, in which order, at the edges of days and zones."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from panel.models.licenses import License
from panel.models.orders import Order, Quote
from panel.upstream.documents import RecordList
from panel.web.attention import LINES_SHOWN, RULES, Attention, find_attention
from panel.web.groups import Moment
from panel.web.sections import SECTIONS, SectionView
from panel.web.situation import Situation
from tests.conftest import Panel, seal_of

ZONE = ZoneInfo("America/Sao_Paulo")
NOON = datetime(2026, 11, 30, 12, tzinfo=ZONE)
PARSERS = {"orders": Order, "quotes": Quote, "licenses": License}
USUAL: dict[str, dict[str, Any]] = {
    "orders": {"id": 1, "status": "processing"},
    "quotes": {"id": 1, "status": "sent"},
    "licenses": {"id": 1, "status": "active", "product_name": "Tema", "expires_at": "2030-01-01"},
}


def show(now: datetime = NOON, **rows: list[dict[str, Any]]) -> dict[str, SectionView]:
    """Return the sections of a customer who has only these records."""
    moment, views = Moment(now, 30), {}
    for name, make in PARSERS.items():
        records = [USUAL[name] | {"id": at} | row for at, row in enumerate(rows.get(name, []), 1)]
        value = RecordList(tuple(make.from_json(record) for record in records))  # type: ignore[attr-defined]
        selection = SECTIONS[name].choose(value, moment)
        views[name] = SectionView(SECTIONS[name], "fresh", selection=selection, read_at=1.0)
    return views


def find(now: datetime = NOON, **rows: list[dict[str, Any]]) -> Attention:
    return find_attention(Situation(show(now, **rows)), Moment(now, 30))


def names(attention: Attention) -> list[str]:
    return [line.rule.name for line in attention.lines]


def day(offset: int) -> str:
    return (NOON.date() + timedelta(days=offset)).isoformat()


EDGES = [
    ("orders", {"status": "failed", "date_created": day(0)}, "payment_failed"),
    ("orders", {"status": "failed", "date_created": day(-90)}, "payment_failed"),
    ("orders", {"status": "failed", "date_created": day(-91)}, ""),
    ("orders", {"status": "failed", "date_created": None}, "payment_failed"),
    ("orders", {"status": "pending", "date_created": day(-2)}, ""),
    ("orders", {"status": "pending", "date_created": day(-3)}, "order_unpaid"),
    ("orders", {"status": "on-hold", "date_created": day(-300)}, "order_unpaid"),
    ("orders", {"status": "completed", "date_created": day(-5)}, ""),
    ("quotes", {"valid_until": day(0)}, "quote_ends_today"),
    ("quotes", {"valid_until": day(1)}, "quote_ends"),
    ("quotes", {"valid_until": day(7)}, "quote_ends"),
    ("quotes", {"valid_until": day(8)}, ""),
    ("quotes", {"valid_until": day(-1)}, "quote_ended"),
    ("quotes", {"valid_until": day(-30)}, "quote_ended"),
    ("quotes", {"valid_until": day(-31)}, ""),
    ("quotes", {"status": "paid", "valid_until": day(0)}, ""),
    ("licenses", {"expires_at": day(0)}, "license_expires"),
    ("licenses", {"expires_at": day(30)}, "license_expires"),
    ("licenses", {"expires_at": day(31)}, ""),
    ("licenses", {"expires_at": day(-1)}, "license_expired"),
    ("licenses", {"expires_at": day(-30)}, "license_expired"),
    ("licenses", {"expires_at": day(-31)}, ""),
    ("licenses", {"status": "disabled"}, "license_disabled"),
    ("licenses", {"status": "suspended"}, "license_stopped"),
    ("licenses", {"activations_limit": 3, "activations_count": 2}, ""),
    ("licenses", {"activations_limit": 3, "activations_count": 3}, "license_full"),
    ("licenses", {"activations_limit": 0, "activations_count": 3}, ""),
]


@pytest.mark.parametrize(("section", "row", "rule"), EDGES, ids=str)
def test_a_record_needs_a_word_from_one_day_to_another(
    section: str, row: dict[str, Any], rule: str
) -> None:
    attention = find_attention(Situation(show(**{section: [row]})), Moment(NOON, 30))  # type: ignore[arg-type]
    assert names(attention) == ([rule] if rule else [])
    assert attention.is_calm is not bool(rule)


UNCLEAR = [
    ("orders", {"status": ["failed"]}),
    ("orders", {"status": "pending", "date_created": None}),
    ("orders", {"status": "pending", "date_created": "the other day"}),
    ("quotes", {"valid_until": "soon"}),
    ("licenses", {"expires_at": "30 de novembro"}),
    ("licenses", {"expires_at": {"rendered": "x"}}),
    ("licenses", {"status": {"a": "b"}}),
]


@pytest.mark.parametrize(("section", "row"), UNCLEAR, ids=str)
def test_what_cannot_be_judged_is_never_called_calm(section: str, row: dict[str, Any]) -> None:
    attention = find_attention(Situation(show(**{section: [row]})), Moment(NOON, 30))  # type: ignore[arg-type]
    assert attention.lines == ()
    assert attention.partial == (SECTIONS[section].title,)
    assert not attention.is_calm


def test_a_license_without_a_stated_end_is_never_called_calm() -> None:
    license_row = {name: USUAL["licenses"][name] for name in ("id", "status", "product_name")}
    value = RecordList((License.from_json(license_row),))
    selection = SECTIONS["licenses"].choose(value, Moment(NOON, 30))
    views = {"licenses": SectionView(SECTIONS["licenses"], "fresh", selection=selection)}
    assert not find_attention(Situation(views), Moment(NOON, 30)).is_calm


@pytest.mark.parametrize(
    ("moment", "rule"),
    [
        (datetime(2026, 12, 1, 2, 59, tzinfo=UTC), "quote_ends"),  # 30 November in São Paulo
        (datetime(2026, 12, 1, 3, 0, tzinfo=UTC), "quote_ends_today"),
        (datetime(2026, 12, 2, 2, 59, tzinfo=UTC), "quote_ends_today"),
        (datetime(2026, 12, 2, 3, 0, tzinfo=UTC), "quote_ended"),
    ],
)
def test_a_day_is_that_of_the_zone_and_not_of_the_server(moment: datetime, rule: str) -> None:
    attention = find(moment.astimezone(ZONE), quotes=[{"valid_until": "2026-12-01"}])
    assert names(attention) == [rule]


def test_a_license_with_an_hour_ends_at_that_hour() -> None:
    row = {"expires_at": "2026-11-30T18:00:00Z"}  # 15:00 in São Paulo
    before, after = (datetime(2026, 11, 30, hour, 0, tzinfo=ZONE) for hour in (14, 15))
    assert names(find(before, licenses=[row])) == ["license_expires"]
    assert names(find(after, licenses=[row])) == ["license_expired"]


def test_the_most_urgent_comes_first_and_at_most_four_lines() -> None:
    attention = find(
        licenses=[{"expires_at": day(3)}, {"expires_at": day(9)}, {"status": "disabled"}],
        orders=[{"status": "failed", "date_created": day(-1)}],
        quotes=[{"valid_until": day(0)}, {"valid_until": day(5)}],
    )
    assert names(attention) == [
        "payment_failed",
        "license_disabled",
        "quote_ends_today",
        "quote_ends",
    ]
    assert len(attention.lines) == LINES_SHOWN


def test_many_of_one_kind_are_one_line_that_counts_them() -> None:
    failed = [{"status": "failed", "date_created": day(-number)} for number in range(6)]
    attention = find(orders=failed, licenses=[{"status": "disabled"}])
    assert names(attention) == ["payment_failed", "license_disabled"]
    assert [line.more for line in attention.lines] == [5, 0]
    assert attention.lines[0].day == date(2026, 11, 30)


ABOUT_COMPANY: list[tuple[dict[str, Any], str]] = [
    ({"entitlement": "suspended"}, "entitlement_suspended"),
    ({"entitlement": "cancelled"}, "entitlement_cancelled"),
    ({"entitlement": "active"}, ""),
    ({"is_stranger": True}, "stranger"),
    ({"is_buried": True}, "buried"),
]


@pytest.mark.parametrize(("facts", "rule"), ABOUT_COMPANY, ids=str)
def test_the_company_itself_may_need_a_word(facts: Mapping[str, Any], rule: str) -> None:
    attention = find_attention(Situation(show(licenses=[{}]), **facts), Moment(NOON, 30))
    assert names(attention) == ([rule] if rule else [])


def test_cancelled_entitlements_are_no_news_without_an_active_license() -> None:
    situation = Situation(show(licenses=[{"status": "disabled"}]), entitlement="cancelled")
    assert names(find_attention(situation, Moment(NOON, 30))) == ["license_disabled"]


BEHIND: list[tuple[dict[str, str] | None, dict[str, Any], str]] = [
    ({"PLG-1": "suspended"}, {}, "license_of_suspended"),
    ({"PLG-1": "cancelled"}, {}, "license_of_cancelled"),
    ({"PLG-1": "suspended"}, {"status": "disabled"}, "license_disabled"),
    ({"PLG-2": "suspended"}, {}, "entitlement_suspended"),  # not a license's entitlement
    ({"PLG-2": "cancelled"}, {}, ""),
    ({}, {}, ""),
    (None, {}, "entitlement_suspended"),  # no pass named the entitlement
]


@pytest.mark.parametrize(("stopped", "row", "rule"), BEHIND, ids=str)
def test_a_stopped_entitlement_is_told_of_its_own_license(
    stopped: dict[str, str] | None, row: dict[str, Any], rule: str
) -> None:
    words = {*(stopped or {"": "suspended"}).values()}
    views = show(licenses=[{"entitlement_code": "PLG-1", "product_name": "Tema", **row}])
    status = "suspended" if "suspended" in words else "cancelled"
    situation = Situation(views, entitlement=status if stopped != {} else "active", stopped=stopped)
    attention = find_attention(situation, Moment(NOON, 30))
    assert names(attention) == ([rule] if rule else [])
    assert {line.name for line in attention.lines if line.rule.name.startswith("license")} <= {
        "Tema"
    }


def test_every_rule_has_a_case_here() -> None:
    tried = {rule for _, _, rule in (*EDGES, *BEHIND)} | {rule for _, rule in ABOUT_COMPANY}
    assert tried - {""} == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("state", "code"),
    [("loading", ""), ("failed", "http_500"), ("denied", "denied"), ("late", "timeout")],
)
def test_nobody_is_called_healthy_while_something_is_not_known(state: str, code: str) -> None:
    views = show()
    views["orders"] = replace(views["orders"], state=state, code=code, selection=None)
    attention = find_attention(Situation(views), Moment(NOON, 30))
    assert not attention.is_calm
    if state == "loading":
        assert attention.waiting == ("Orders",)
        return
    [outage] = attention.unread
    parts = (outage.unread, outage.aged)
    assert parts == (((), ("Orders",)) if state == "late" else (("Orders",), ()))


def test_four_failures_of_one_cause_are_one_notice() -> None:
    views = {name: SectionView(item, "failed", code="timeout") for name, item in SECTIONS.items()}
    attention = find_attention(Situation(views), Moment(NOON, 30))
    assert [(item.code, len(item.unread)) for item in attention.unread] == [("timeout", 4)]


# -- in the panel ------------------------------------------------------------------------------


def ask(panel: Panel, seal: str, query: str = "") -> str:
    return panel.ask("GET", f"/attention{query}", seal).text


def test_what_needs_a_word_follows_when_the_sections_have_come(panel: Panel) -> None:
    page = panel.open("healthy").text
    seal = seal_of(page)
    assert "data-waiting" in page
    assert 'class="attention held"' in page
    for name in SECTIONS:
        answer = panel.section(name, seal)
        assert answer.headers["HX-Trigger"] == "attention"
    html = ask(panel, seal)
    assert 'data-rule="payment_failed" href="#orders-4217"' in html
    assert "data-waiting" not in html
    again = panel.open("healthy").text
    assert 'data-rule="payment_failed"' in again
    assert 'class="attention"' in again


def test_a_silent_database_of_our_own_is_no_sign_that_all_is_well(panel: Panel) -> None:
    seal = panel.proven()
    assert "data-partial" not in ask(panel, seal)
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE hooks")
    html = ask(panel, seal)
    assert "Not read in full: Company and people." in html
    assert "data-calm" not in html


def test_it_asks_the_back_office_for_nothing(panel: Panel) -> None:
    seal = panel.proven()
    before = len(panel.office.calls)
    ask(panel, seal)
    assert len(panel.office.calls) == before


def test_a_failure_on_the_screen_is_told_although_nothing_remembers_it(panel: Panel) -> None:
    html = ask(panel, panel.proven(), "?failed=orders:paused,quotes:<b>")
    assert 'data-outage="paused"' in html
    assert "<b>" not in html


def test_a_refresh_that_failed_is_told_although_the_copy_is_young(panel: Panel) -> None:
    seal, shown = panel.proven(), ",".join(f"{name}:http_500:late" for name in SECTIONS)
    for name in SECTIONS:
        panel.section(name, seal)
    assert "data-outage" not in ask(panel, seal, f"?failed={shown}")
    panel.office.fault("500", 42)
    for name in SECTIONS:
        panel.ask("POST", f"/sections/{name}/refresh", seal)
    html = ask(panel, seal, f"?failed={shown}")
    assert (html.count("data-outage"), html.count("Nothing is up to date.")) == (1, 1)
    assert 'data-rule="payment_failed"' in html


def test_it_needs_a_seal(panel: Panel) -> None:
    assert panel.ask("GET", "/attention", "").status_code == 401
    assert panel.ask("POST", "/refresh", "").status_code == 401
