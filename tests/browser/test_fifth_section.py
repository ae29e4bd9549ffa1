"""A section is a row, its document, its model and its template; a kind of hook is a row.

The fifth one is made here, as somebody would add it, and nothing else knows of it.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from jinja2 import ChoiceLoader, FileSystemLoader
from playwright.sync_api import Page, expect
from werkzeug.wrappers import Response

from panel.cache.entries import Lifetimes
from panel.demo.backoffice import BackOffice
from panel.demo.world import Call, answer
from panel.models.money import Money
from panel.models.values import Row, Status
from panel.sync.events import KINDS, Kind
from panel.upstream.documents import Document, RecordList
from panel.web.groups import Moment
from panel.web.sections import SECTIONS, Section
from panel.web.selection import Item, Selection
from tests.browser.conftest import SECTIONS as FOUR
from tests.browser.conftest import Demo, Panel, Seen


@dataclass(frozen=True)
class Invoice:
    id: int
    status: Status
    total: Money

    @classmethod
    def from_json(cls, row: Row) -> "Invoice":
        status, total = Status(row["status"], row["status"]), Decimal(row["total"])
        return cls(row["id"], status, Money(total, row["currency"]))


def parse_invoices(body: Any, _: str) -> RecordList[Invoice]:
    return RecordList(tuple(Invoice.from_json(row) for row in body["rows"]))


def choose_invoices(value: RecordList[Invoice], _: Moment) -> Selection:
    return Selection(tuple(Item(row) for row in value.rows), received=len(value.rows))


DOCUMENT = Document("invoices", "invoices", Lifetimes(60), parse_invoices)
SECTION = Section(
    "invoices",
    title="Invoices",
    document=DOCUMENT,
    choose=choose_invoices,
    empty="No invoices",
    none_shown="No open invoices",
    closed=("%(count)d closed invoice", "%(count)d closed invoices"),
    statuses={"overdue": "Overdue"},
    uncover="Show what is owed",
    badges={"overdue": "ruby"},
)
KIND = Kind("invoice.reminded", (DOCUMENT,))
TEMPLATE = """{% extends "sections/_frame.html" %}
{% block rows %}
{% macro row(item) %}
{% set invoice = item.record %}
<li data-row="{{ invoice.id }}">
  <span class="what">{{ m.number(invoice.id, invoice.id) }} {{ m.badge(invoice.status) }}</span>
  <span class="amount">{{ m.money(invoice.total, view.masked) }}</span>
</li>
{% endmacro %}
{{ m.rows(view.selection, row) }}
{% endblock %}
"""


class WithInvoices(BackOffice):
    """The built-in back office with one list more, the same for every organization."""

    def __init__(self, office: BackOffice) -> None:
        super().__init__(office.secrets)
        vars(self).update(vars(office))
        self.invoices = [{"id": 1, "status": "overdue", "total": "99.90", "currency": "BRL"}]

    def respond(self, call: Call) -> Response:
        if call.path != f"{self.base}/invoices":
            return super().respond(call)
        return answer(200, {"success": True, "data": self.invoices})


@pytest.fixture
def office(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WithInvoices:
    """The house with its fifth section, and a link for every record that may have one."""
    monkeypatch.setitem(SECTIONS, SECTION.name, SECTION)
    monkeypatch.setitem(KINDS, KIND.name, KIND)
    folder = tmp_path / "templates"
    (folder / "sections").mkdir(parents=True)
    (folder / SECTION.template).write_text(TEMPLATE)
    jinja = demo.house.panel.jinja_env  # type: ignore[attr-defined]
    jinja.loader = ChoiceLoader([jinja.loader, FileSystemLoader(folder)])
    links = cast(dict[str, str], demo.services.settings.links)
    links["order"] = "https://account.example/{id}"
    demo.house.office = WithInvoices(demo.office)
    return demo.house.office


@pytest.fixture
def opened(office: WithInvoices, demo: Demo, page: Page) -> Panel:
    panel = demo.open(page)
    panel.expect_state("fresh", *FOUR, "invoices")
    panel.settle()
    return panel


def test_a_fifth_section_is_drawn_as_its_row_says(opened: Panel) -> None:
    invoices = opened.section("invoices")
    expect(invoices.locator("h2")).to_have_text("Invoices")
    expect(opened.rows("invoices")).to_have_count(1)
    expect(invoices.locator(".badge.ruby")).to_have_text("Overdue")
    expect(invoices.locator("[data-masked]")).to_have_count(1)
    expect(invoices.locator("a")).to_have_count(0)
    expect(opened.section("orders").locator("a")).to_have_count(14)


def test_it_is_uncovered_by_a_button_with_its_own_label(opened: Panel) -> None:
    invoices = opened.section("invoices")
    button = invoices.locator("[data-action=reveal]")
    expect(button).to_have_text("Show what is owed")
    button.click()
    expect(invoices.locator(".uncover strong")).to_have_text("Invoices: Show what is owed")
    invoices.locator("select").select_option("Customer confirmed the tax ID")
    invoices.locator("[data-action=uncover]").click()
    expect(invoices.locator(".money")).to_have_text("R$99.90")


def test_an_empty_fifth_section_says_so(office: WithInvoices, demo: Demo, page: Page) -> None:
    office.invoices.clear()
    panel = demo.open(page)
    panel.expect_state("empty", "invoices")
    expect(panel.section("invoices").locator("[data-empty]")).to_have_text("No invoices")


def test_a_hook_of_a_new_kind_makes_the_open_panel_ask_for_that_section_alone(
    opened: Panel, office: WithInvoices, demo: Demo, seen: Seen
) -> None:
    plugin = demo.house.page.plugin
    assert plugin is not None
    plugin.deeds["invoice"] = ("Invoice reminded", lambda number: (KIND.name, number))
    office.invoices.append({**office.invoices[0], "id": 2})
    seen.forget()
    assert plugin.do("invoice", 42)["status"] == 202
    opened.shown_again()
    expect(opened.rows("invoices")).to_have_count(2)
    opened.settle()
    paths = [urlsplit(request.url).path for request in seen.sent("/sections/")]
    assert paths == ["/sections/invoices"]
