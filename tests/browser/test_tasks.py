"""Twelve tasks of an agent with a customer waiting, each done in Chatwoot's usual frames.

Clicks are counted from the opened panel on. A key counts as a click where it stands for one: a
shortcut, and Enter in a field. `python -m pytest tests/browser/test_tasks.py -s` prints the table;
`before` is what the same task took at commit 8cd2530.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import requests
from playwright.sync_api import Browser, Page, ViewportSize, expect

from panel.demo.serve import House
from panel.demo.worlds import SECRET, serve
from tests.browser.conftest import PATIENCE_MS, Demo, Panel, Seen
from tests.browser.test_keyboard import pasted
from tests.conftest import with_tables

MOST_CLICKS = 3
# In the window of a small laptop Chatwoot leaves the frame 420 pixels beside the contact's own
# panel, and 740 where an agent has closed that.
WINDOW, HEIGHT = ViewportSize(width=1280, height=680), 598
WIDTHS = (420, 740)
COUNT_CLICKS = """
  window.clicks = 0;
  addEventListener("click", ({ isTrusted }) => { window.clicks += isTrusted; }, true);
  addEventListener("keydown", ({ key, target }) => {
    window.clicks += key.length === 1 && !target.closest("input");
  }, true);
"""


@dataclass
class Desk:
    """The window of one agent, for all the tasks."""

    demo: Demo
    page: Page
    width: int
    rows: list[str] = field(default_factory=list)

    def begin(self, scenario: str) -> Panel:
        panel = self.demo.open(self.page, scenario)
        if self.width == WIDTHS[1]:
            self.page.evaluate("document.body.classList.add('aside')")
        panel.settle()
        panel.frame.evaluate("window.clicks = 0")
        return panel


@pytest.fixture(scope="module", params=WIDTHS)
def desk(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    house = House(SECRET)
    server = serve(house)
    house.move_in(server.port, str(with_tables(tmp_path_factory.mktemp("desk"))))
    demo, seen = Demo(house, server), Seen()
    context = browser.new_context(locale="en-US", viewport=WINDOW)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(COUNT_CLICKS)
    seen.watch(context)
    desk = Desk(demo, context.new_page(), request.param)
    yield desk
    head = f"| At {desk.width} pixels | Clicks before | Now | Seconds |\n| --- | --- | --- | --- |"
    print("", head, *desk.rows, sep="\n")  # noqa: T201 (what `-s` is for)
    complaints = seen.complaints
    context.close()
    server.stop()
    demo.services.database.dispose()
    assert not complaints


# -- the tasks -----------------------------------------------------------------------------------


def see_whether_the_renewal_is_paid(desk: Desk, panel: Panel) -> None:
    panel.find("#licenses-4203 [data-action=open]").click()
    mark = panel.find("#licenses-4203 .told")
    expect(mark).to_contain_text(re.compile(r"Paid by order\s*#4206 · \w+ \d+, \d{4}"))
    expect(mark).to_contain_text(re.compile(r"Quote to renew it\s*#4202 · Valid until"))


def find_why_a_key_stopped_working(desk: Desk, panel: Panel) -> None:
    line = panel.find("#attention a").filter(has_text="Plugin Legado is disabled")
    expect(line).to_be_in_viewport()
    line.click()
    row = panel.find("[data-section=licenses] [data-row]").filter(has_text="Plugin Legado")
    expect(row).to_be_in_viewport()
    row.locator("[data-action=open]").click()
    expect(row.locator(".told")).to_contain_text("Entitlement")


def resend_a_quote(desk: Desk, panel: Panel) -> None:
    panel.find("#quotes-4202 [data-action=copies]").click()
    panel.find("#copies [data-action=copy]").nth(1).click()
    expect(panel.find("#said")).to_have_text("Copied")
    assert re.fullmatch(r"A proposta 4202 .*é válida até [0-9/]+\.", pasted(desk.page))


def correct_the_company(desk: Desk, panel: Panel) -> None:
    panel.find("#change > summary").click()
    panel.find("#query").type("acme")
    panel.find("[data-result] [data-action=pick][data-scope=conversation]").click()
    expect(panel.root).to_have_attribute("data-organization", "42")


def choose_between_two_companies(desk: Desk, panel: Panel) -> None:
    panel.expect_root("choose")
    expect(panel.find("[data-choice]").nth(1)).to_be_in_viewport()
    panel.find("[data-choice='45'] [data-action=pick]").click()
    expect(panel.root).to_have_attribute("data-organization", "45")


def go_on_after_an_outage(desk: Desk, panel: Panel) -> None:
    outage = panel.find("[data-outage=http_500]")
    expect(outage).to_contain_text("Nothing could be read. MIDDAG Account has an internal error.")
    expect(outage).to_be_in_viewport()
    desk.demo.office.heal(53)
    panel.find("[data-action=refresh-all]").click()
    expect(outage).to_have_count(0)
    expect(panel.find("[data-section][data-state=fresh]")).to_have_count(4)


def verify_who_asks_for_amounts(desk: Desk, panel: Panel) -> None:
    expect(panel.section("orders").locator(".money")).to_have_count(0)
    panel.find("[data-action=verify]").click()
    key = desk.demo.office.rows("licenses", 47)[0]["license_key"]
    panel.find("#answer").type(f"minha chave: {key}")
    panel.find("#answer").press("Enter")
    expect(panel.find(".who")).to_contain_text("verified by license key")
    expect(panel.rows("orders").first.locator(".money")).to_be_visible()


def copy_the_number_of_an_order(desk: Desk, panel: Panel) -> None:
    panel.find("#orders-4217 [data-action=copies]").click()
    panel.find("#copies [data-action=copy]").first.click()
    expect(panel.find("#said")).to_have_text("Copied")
    assert pasted(desk.page) == "4217"


def open_an_order_in_middag_account(desk: Desk, panel: Panel) -> None:
    with desk.page.expect_popup() as popup:
        panel.find("#orders-4217 a.out").click()
    assert popup.value.url.endswith("/wp-admin/admin.php?page=wc-orders&action=edit&id=4217")
    popup.value.close()


def see_the_items_of_an_order(desk: Desk, panel: Panel) -> None:
    panel.find("#orders-4217 [data-action=open]").click()
    expect(panel.find("#orders-4217 .items li").first).to_contain_text("Plugin Relatórios")


def see_the_owner(desk: Desk, panel: Panel) -> None:
    panel.section("organization").locator("[data-action=open]").click()
    owner = panel.find("[data-person]:has([data-owner]) .mail")
    expect(owner).to_have_text("gabriela@segura.example")


def see_what_changed(desk: Desk, panel: Panel) -> None:
    expect(panel.find("#recent")).to_have_text(re.compile(r"Since .+:\s+order 4701 paid"))
    expect(panel.find("#recent")).to_be_in_viewport()


Act = Callable[[Desk, Panel], None]
# By the scenario of the customer who waits; what it took before, in clicks.
TASKS: dict[str, tuple[str, str, Act]] = {
    "is my renewal paid?": ("healthy", "impossible", see_whether_the_renewal_is_paid),
    "my key stopped working": ("healthy", "impossible", find_why_a_key_stopped_working),
    "resend my quote": ("healthy", "impossible", resend_a_quote),
    "wrong company": ("empty", "2, if a pass had seen it", correct_the_company),
    "two companies": ("two", "1, second below the fold", choose_between_two_companies),
    "an outage": ("error500", "0, or 300 s", go_on_after_an_outage),
    "unverified, asks amounts": ("currencies", "1 unproven, else 4", verify_who_asks_for_amounts),
    "copy an order's number": ("healthy", "impossible", copy_the_number_of_an_order),
    "open in MIDDAG Account": ("healthy", "impossible", open_an_order_in_middag_account),
    "items of an order": ("healthy", "impossible", see_the_items_of_an_order),
    "who owns it": ("proven", "impossible", see_the_owner),
    "what changed": ("currencies", "impossible", see_what_changed),
}


@pytest.fixture(scope="module", autouse=True)
def changed(desk: Desk) -> None:
    """An order is paid after the company was last looked at."""
    desk.demo.prove("proven")
    desk.begin("healthy")  # so that its company is found by name
    desk.begin("currencies")
    ids = {"organization_id": 47, "id": desk.demo.office.rows("orders", 47)[0]["id"]}
    hook = {"event": "order.paid", "timestamp": "2026-11-30T09:00:00Z", "data": ids}
    bearer = {"Authorization": f"Bearer {SECRET}"}
    url = f"{desk.demo.panel_url}/sync/hooks"
    assert requests.post(url, json=hook, headers=bearer, timeout=30).status_code == 202


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_possible_within_three_clicks(desk: Desk, task: str) -> None:
    scenario, before, act = TASKS[task]
    panel = desk.begin(scenario)
    started_at = time.monotonic()
    act(desk, panel)
    seconds, clicks = time.monotonic() - started_at, panel.frame.evaluate("window.clicks")
    desk.rows.append(f"| {task} | {before} | {clicks} | {seconds:.1f} |")
    assert clicks <= MOST_CLICKS


def test_the_frame_is_as_wide_as_chatwoot_leaves_it(desk: Desk) -> None:
    desk.begin("proven")
    box = desk.page.locator("iframe").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (desk.width, HEIGHT)
