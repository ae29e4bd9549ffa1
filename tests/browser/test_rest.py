"""The second script and stylesheet: they come behind the first screen, and no click is lost."""

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Demo, Seen
from tests.clocks import wait_until

WHOLE = "data-is-whole"
# A panel that never gets whole loads the second script after ten seconds. No timer of that length
# fires here, so that only a whole panel loads it.
WITHOUT_BOUND = """
const later = window.setTimeout;
window.setTimeout = (act, wait, ...rest) => wait < 10000 ? later(act, wait, ...rest) : 0;
"""


def test_the_second_script_comes_once_behind_the_whole_panel(
    demo: Demo, page: Page, seen: Seen
) -> None:
    page.add_init_script(WITHOUT_BOUND)
    panel = demo.open(page)
    panel.settle()
    asked = [sent.url.removeprefix(demo.panel_url).partition("?")[0] for sent in seen.sent()]
    own = [path for path in asked if path.startswith("/")]
    assert own.count("/static/rest.js") == own.count("/static/rest.css") == 1
    assert own.index("/static/rest.css") > max(
        own.index(f"/{path}")
        for path in ("contact", "sections/licenses", "sections/organization", "attention")
    )
    with page.expect_response("**/sections/orders/refresh"):
        panel.refresh("orders")
    panel.settle()
    assert len(seen.sent("/static/rest.")) == 2


def test_a_hook_while_a_panel_opens_does_not_hold_the_second_script_back(
    demo: Demo, page: Page
) -> None:
    def touch(route: Route) -> None:
        demo.services.cache.touch(42, "orders")
        route.continue_()

    page.add_init_script(WITHOUT_BOUND)
    page.route("**/attention*", touch)
    panel = demo.open(page)
    expect(panel.find("html")).to_have_attribute(WHOLE, "")
    page.unroute("**/attention*")
    panel.settle()


def test_a_click_before_the_second_script_is_done_when_it_comes(demo: Demo, page: Page) -> None:
    routes: list[Route] = []
    page.route("**/static/rest.js*", lambda route: routes.append(route))  # noqa: PLW0108 (counted)
    panel = demo.open(page)
    panel.expect_state("fresh")
    row = panel.section("orders").locator("[data-row]").first
    row.locator("[data-action=open]").click()
    panel.find("[data-action=verify]").click()
    expect(panel.find("dialog[open]")).to_have_count(0)
    expect(panel.find("html")).not_to_have_attribute(WHOLE, "")
    page.wait_for_function("() => true")
    assert len(routes) == 1
    routes[0].continue_()
    expect(panel.find("dialog.verify[open] h2")).to_be_visible()
    expect(row.locator(".told")).to_be_visible()


def test_a_refresh_before_the_second_script_is_announced_when_it_comes(
    demo: Demo, page: Page
) -> None:
    routes: list[Route] = []
    page.route("**/static/rest.js*", lambda route: routes.append(route))  # noqa: PLW0108 (counted)
    panel = demo.open(page)
    panel.expect_state("fresh")
    with page.expect_response("**/sections/orders/refresh"):
        panel.refresh("orders")
    expect(panel.find("#said")).to_have_text("")
    wait_until(lambda: page.evaluate("() => true") and routes)
    routes[0].continue_()
    expect(panel.find("#said")).to_have_text("Up to date")


def test_a_second_script_that_did_not_come_is_said_and_asked_for_again(
    demo: Demo, page: Page, seen: Seen
) -> None:
    page.route("**/static/rest.js*", lambda route: route.abort())
    panel = demo.open(page)
    panel.expect_state("fresh")
    copies = panel.section("licenses").locator("[data-action=copies]").first
    copies.click()
    expect(panel.section("licenses").locator("[data-lost-part]")).to_contain_text("network")
    expect(panel.find("#copies")).to_be_hidden()
    page.unroute_all()
    copies.click()
    expect(panel.find("#copies[open] [data-sentence]")).to_be_visible()
    assert len(seen.sent("/static/rest.js")) >= 2
