"""The table of docs/truth.md: every outcome of the back office × every state of the cache.

The panel, the back office and Chatwoot speak real HTTP; only the cache's clock is ours.
"""

import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.wrappers import Request, Response

from panel.auth.seal import Seal
from panel.demo.faults import FAULTS
from panel.demo.worlds import AGENT, serve
from panel.web.sections import SECTIONS
from tests.conftest import (
    API,
    Clock,
    MakePanel,
    Panel,
    panels_before,
    rows_of,
    worlds_on_sockets,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The states of the cache before the request; the numbers are organizations.
NONE, FRESH, AGED, TOUCHED, EMPTY = 201, 202, 203, 204, 205
CACHE = (NONE, FRESH, AGED, TOUCHED, EMPTY)
ROW = 7

# (state, code) without a copy, and with one.
TABLE = {
    "slow": (("fresh", None), ("fresh", None)),
    "hang": (("failed", "timeout"), ("late", "timeout")),
    "500": (("failed", "http_500"), ("late", "http_500")),
    "502": (("failed", "http_502"), ("late", "http_502")),
    "429": (("failed", "rate_limited"), ("late", "rate_limited")),
    "wordpress401": (("failed", "unauthorized"), ("late", "unauthorized")),
    "html": (("failed", "unreadable"), ("late", "unreadable")),
    "badjson": (("failed", "unreadable"), ("late", "unreadable")),
    "truncated": (("failed", "network"), ("late", "network")),
    "wrongshape": (("failed", "wrong_shape"), ("late", "wrong_shape")),
    "foreign": (("failed", "foreign_rows"), ("late", "foreign_rows")),
    "oddvalues": (("fresh", None), ("fresh", None)),
    "oddrecords": (("fresh", None), ("fresh", None)),
    "404": (("failed", "unknown_organization"), ("failed", "unknown_organization")),
    "403": (("denied", "denied"), ("denied", "denied")),
    "rest_no_route": (("failed", "no_route"), ("late", "no_route")),
    "reset": (("failed", "network"), ("late", "network")),
    "huge": (("failed", "too_large"), ("late", "too_large")),
    "redirect": (("failed", "redirected"), ("late", "redirected")),
}

Asked = dict[tuple[str, int], requests.Response]


def seal(panel: Panel, organization: int) -> str:
    """Return an agent's seal for the healthy conversation; only the seal names the organization."""
    own_seal = Seal(AGENT, "shared-secret", 1, 101, 301, organization, "proven")
    return panel.services.seals.sign(own_seal)


def fill(panel: Panel, organization: int, rows: bool = True) -> None:
    office = panel.office
    office.put("organization", organization, {"name": f"Firm {organization}"})
    if rows:
        money = {"total": "10.00", "currency": "BRL"}
        office.put("orders", organization, {"id": ROW, "status": "pending", **money})
        office.put("quotes", organization, {"id": ROW, "status": "sent", **money})
        office.put("licenses", organization, {"id": ROW, "status": "active"})


def ask_all(
    panel: Panel, organizations: Iterable[int], ask: Callable[[str, str], requests.Response]
) -> Asked:
    """Request every section of every organization, all at once."""
    pairs = [(name, number) for number in organizations for name in SECTIONS]
    seals = {number: seal(panel, number) for _, number in pairs}
    with ThreadPoolExecutor(min(len(pairs), 80)) as pool:
        answers = pool.map(lambda pair: ask(pair[0], seals[pair[1]]), pairs)
        return dict(zip(pairs, answers, strict=True))


def prepare(panel: Panel, *bases: int) -> None:
    """Bring the cache into its states, for organizations that begin with each base."""
    bases = bases or (0,)
    for base in bases:
        for number in CACHE:
            fill(panel, base + number, rows=number != EMPTY)
    ask_all(panel, [base + number for base in bases for number in (AGED, EMPTY)], panel.section)
    panel.clock.advance(400)  # beyond every time to live
    ask_all(panel, [base + number for base in bases for number in (FRESH, TOUCHED)], panel.section)
    for base in bases:
        for name in SECTIONS:
            panel.services.cache.touch(base + TOUCHED, name)
    panel.clock.advance(1)


def told(answer: requests.Response) -> tuple[str, str | None]:
    """Return state and code of the one section of the answer."""
    states = re.findall(r'data-state="(\w+)"', answer.text)
    assert len(states) == 1, answer.text[:300]
    code = re.search(r'<section[^>]* data-code="([^"]*)"', answer.text)
    return states[0], code and code[1]


def expected(name: str, number: int, fault: str) -> tuple[str, str | None]:
    without, with_copy = TABLE[fault]
    empty = number == EMPTY and name != "organization"
    # With unreadable records, the panel cannot tell that there are none.
    if empty and with_copy[0] == "fresh" and fault != "oddrecords":
        return "empty", None
    return without if number == NONE else with_copy


def test_the_table_names_every_way_to_fail() -> None:
    assert set(TABLE) == set(FAULTS)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    """The answers for every fault × every state of the cache × every section, requested
    together."""
    bases = {fault: 1000 * at for at, fault in enumerate(TABLE, 1)}
    with (
        worlds_on_sockets() as worlds,
        panels_before(worlds, tmp_path_factory.mktemp("truth")) as make_panel,
    ):
        panel = make_panel(clock=Clock())
        prepare(panel, *bases.values())
        for fault, base in bases.items():
            for number in CACHE:
                panel.office.fault(fault, base + number)
        numbers = [base + number for base in bases.values() for number in CACHE]
        everything = ask_all(panel, numbers, panel.refresh)
    return {
        fault: {at: everything[at] for at in everything if at[1] // 1000 == base // 1000}
        for fault, base in bases.items()
    }


@pytest.mark.parametrize("fault", TABLE)
def test_every_outcome_and_every_copy_give_exactly_one_state(
    answers: dict[str, Asked], fault: str
) -> None:
    assert len(answers[fault]) == len(SECTIONS) * len(CACHE)
    assert {at: told(answer) for at, answer in answers[fault].items()} == {
        (name, number): expected(name, number % 1000, fault) for name, number in answers[fault]
    }


@pytest.mark.parametrize("fault", TABLE)
def test_rows_are_shown_only_where_something_is_known_and_none_never_after_a_failure(
    answers: dict[str, Asked], fault: str
) -> None:
    for (name, number), answer in answers[fault].items():
        state, _ = told(answer)
        is_drawn = state in ("fresh", "late", "empty")
        rows = [number] if name == "organization" else [] if number % 1000 == EMPTY else [ROW]
        assert rows_of(answer.text) == (rows if is_drawn else [])
        if state != "empty" and name != "organization":
            assert SECTIONS[name].empty not in answer.text


@pytest.mark.parametrize("fault", ["500", "badjson", "403", "404"])
def test_a_glance_waits_only_for_what_is_absent_or_touched(clocked: Panel, fault: str) -> None:
    prepare(clocked)
    clocked.office.fault(fault)
    without, with_copy = TABLE[fault]
    answers = ask_all(clocked, CACHE, clocked.section)
    for (name, number), answer in answers.items():
        aged = ("late", "aged")
        by_copy = {
            NONE: without,
            FRESH: ("fresh", None),
            AGED: aged,
            TOUCHED: with_copy,
            EMPTY: aged,
        }
        assert told(answer) == by_copy[number], (name, number)


@pytest.mark.parametrize("number", [NONE, FRESH, AGED, TOUCHED])
def test_an_answer_with_rows_is_fresh_whatever_was_kept(clocked: Panel, number: int) -> None:
    prepare(clocked)
    answers = ask_all(clocked, [number], clocked.refresh)
    assert {told(answer) for answer in answers.values()} == {("fresh", None)}


@pytest.mark.parametrize("number", CACHE)
def test_an_empty_answer_is_empty_whatever_was_kept(clocked: Panel, number: int) -> None:
    prepare(clocked)
    for name in ("orders", "quotes", "licenses"):
        clocked.office.remove(name, number, ROW)
        answer = clocked.refresh(name, seal(clocked, number))
        assert told(answer) == ("empty", None)
        assert SECTIONS[name].empty in answer.text


def test_a_late_empty_copy_says_as_of_when(clocked: Panel) -> None:
    prepare(clocked)
    clocked.office.fault("html")
    page = clocked.refresh("orders", seal(clocked, EMPTY)).text
    assert "None as of" in page
    assert "could not check since" in page


@pytest.mark.parametrize("fault", ["403", "404"])
def test_a_later_outage_does_not_bring_back_what_may_not_be_shown(
    clocked: Panel, fault: str
) -> None:
    prepare(clocked)
    clocked.office.fault(fault)
    clocked.refresh("orders", seal(clocked, FRESH))
    clocked.clock.advance(31)
    clocked.office.fault("500")
    assert told(clocked.refresh("orders", seal(clocked, FRESH))) == ("failed", "http_500")


@pytest.mark.parametrize("fault", ["500", "html", "403", "404", "wordpress401"])
def test_what_healed_is_fresh_again(clocked: Panel, fault: str) -> None:
    fill(clocked, NONE)
    clocked.office.fault(fault)
    assert told(clocked.refresh("orders", seal(clocked, NONE))) == TABLE[fault][0]
    clocked.office.heal()
    clocked.clock.advance(31)
    assert told(clocked.section("orders", seal(clocked, NONE))) == ("fresh", None)


def test_a_filter_that_hides_every_row_is_not_empty(clocked: Panel) -> None:
    clocked.office.put("organization", NONE, {"name": "Firm"})
    clocked.office.put("orders", NONE, {"id": 1, "status": "completed"})
    page = clocked.section("orders", seal(clocked, NONE))
    assert told(page) == ("fresh", None)
    assert "1 closed order:" in page.text
    assert SECTIONS["orders"].empty not in page.text


def test_an_open_breaker_is_late_or_failed_and_names_the_next_try(panel: Panel) -> None:
    fill(panel, FRESH)
    panel.section("orders", seal(panel, FRESH))
    panel.office.fault("500")
    ask_all(panel, range(301, 304), panel.section)  # twelve reads, each tried twice
    panel.office.forget()
    answer = panel.refresh("orders", seal(panel, FRESH))
    without = panel.refresh("orders", seal(panel, NONE))
    assert (told(answer), told(without)) == (("late", "paused"), ("failed", "paused"))
    assert "Next try from" in answer.text
    assert "Next try from" in without.text
    assert panel.office.calls == []


class BrokenPage:
    """A back office whose list of orders has three pages, of which one fails."""

    def __init__(self, broken: str) -> None:
        self.broken = broken

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        page = Request(environ).args.get("page", "1")
        number = int(page)
        rows = [{"id": 10 * number + at, "status": "pending"} for at in range(3)]
        if page == self.broken:
            answer = Response("<html>", 200, content_type="text/html")
        else:
            meta = {"page": number, "per_page": 3, "total": 9, "pages": 3}
            answer = Response(json.dumps({"data": rows, "meta": meta}))
        return answer(environ, start)


@pytest.mark.parametrize(
    ("broken", "state"), [("none", "fresh"), ("1", "failed"), ("2", "failed"), ("3", "failed")]
)
def test_one_failing_page_fails_the_list(make_panel: MakePanel, broken: str, state: str) -> None:
    server = serve(BrokenPage(broken))
    panel = make_panel(Clock(), MIDDAG_API_URL=server.url + API)
    answer = panel.section("orders", seal(panel, 42))
    server.stop()
    assert told(answer)[0] == state
    assert len(rows_of(answer.text)) == (9 if state == "fresh" else 0)
