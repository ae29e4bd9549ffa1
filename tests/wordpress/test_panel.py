"""The panel before a real WordPress: it shows WordPress's records, and hears of changes.

There site/tests-api.php stands in for the REST API, with posts and their meta.
"""

import html
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from panel.data.inbox import hooks
from panel.demo.worlds import SECRET
from panel.sync.events import find_kind
from tests.conftest import API, Panel, panels_before, rows_of, state_of, worlds_on_sockets
from tests.wordpress.sites import Site, poll

log = logging.getLogger(__name__)

ACME = 42
NAME = "Educação & Filhos — “Sant'Ana” Ltda."
ORGANIZATION = {
    "id": ACME,
    "name": NAME,
    "legal_name": "Educação e Filhos Ltda.",
    "cnpj": "12.345.678/0001-95",
    "status": "publish",
    "verification_status": "verified",
    "country": "BR",
    "company": "middag_br",
}
OPEN = {"pending", "processing", "on-hold"}


def order(status: str, **fields: Any) -> dict[str, Any]:
    basis = {"organization_id": ACME, "status": status, "total": "1250.00", "currency": "BRL"}
    dates = {"date_created": "2026-04-01T14:30:00Z", "items_count": 2, "payment_method": "stripe"}
    return basis | dates | fields


def make(site: Site, domain: str, fields: dict[str, Any]) -> int:
    """Make a record in WordPress; returns its id."""
    body = json.dumps(fields)
    return int(
        site.php(f"echo tests_make( '{domain}', json_decode( <<<'J'\n{body}\nJ\n, true ) );")
    )


@pytest.fixture
def panel(site: Site, tmp_path: Path) -> Iterator[Panel]:
    """A panel that reads this WordPress, which posts its hooks to the panel; both start alike."""
    site.sql(f"DELETE FROM wp_posts WHERE ID = {ACME}")  # another record may have had the number
    with before(site, tmp_path) as panel:
        yield panel
    site.sql("DELETE FROM wp_posts WHERE post_type LIKE 'middag%'")
    site.sql("DELETE FROM wp_postmeta WHERE post_id NOT IN ( SELECT ID FROM wp_posts )")


@contextmanager
def before(site: Site, folder: Path) -> Iterator[Panel]:
    with worlds_on_sockets() as both, panels_before(both, folder) as build:
        panel = build(MIDDAG_API_URL=site.url + API, PANEL_LOCALE="pt_BR")
        site.configure(
            MIDDAG_PANEL_URL=f"'{panel.url}'", CHATWOOT_CONTACT_VIEW_SECRET=f"'{SECRET}'"
        )
        yield panel


def received(panel: Panel) -> list[tuple[str, int | None, str | None]]:
    """Return kind, organization and record of each hook that the panel has kept, in order."""
    with panel.services.database.connect() as connection:
        rows = connection.execute(hooks.select().order_by(hooks.c.received_at)).all()
    return [(row.kind, row.organization, row.subject) for row in rows]


def text_of(body: str) -> str:
    return html.unescape(body).replace("\xa0", " ")


def open_rows_of(html: str) -> list[int]:
    """Return the shown rows, without those in the fold of closed records, which comes last."""
    return rows_of(html.partition('class="more closed"')[0])


def test_what_the_panel_shows_is_what_wordpress_holds(site: Site, panel: Panel) -> None:
    make(site, "organization", ORGANIZATION)
    statuses = ["pending", "processing", "on-hold", "completed", "cancelled", "refunded"] * 8
    orders = {make(site, "order", order(status)): status for status in statuses}
    quote = {"organization_id": ACME, "total": "5400.00", "currency": "BRL"}
    quotes = {
        make(site, "quote", quote | {"status": status, "valid_until": "2099-05-15"}): status
        for status in ("sent", "viewed", "draft", "paid", "expired")
    }
    licence = {"organization_id": ACME, "product_name": "Relatórios Avançados", "status": "active"}
    licenses = [make(site, "license", licence | {"expires_at": "2099-04-01T00:00:00Z"})]
    seal = panel.proven("healthy", ACME)
    values = {name: panel.section(name, seal).text for name in ("orders", "quotes", "licenses")}
    assert {name: state_of(body) for name, body in values.items()} == dict.fromkeys(values, "fresh")
    numbers = {number for number, status in orders.items() if status in OPEN}
    assert set(open_rows_of(values["orders"])) == numbers
    assert len(numbers) == 24  # of 48, on three pages
    numbers = {number for number, status in quotes.items() if status in ("sent", "viewed")}
    assert set(open_rows_of(values["quotes"])) == numbers
    assert rows_of(values["licenses"]) == licenses
    assert "1.250,00" in text_of(values["orders"])
    organization = text_of(panel.section("organization", seal).text)
    assert NAME in organization


def test_none_in_wordpress_is_none_in_the_panel(site: Site, panel: Panel) -> None:
    make(site, "organization", ORGANIZATION)
    seal = panel.proven("healthy", ACME)
    states = [state_of(panel.section(n, seal).text) for n in ("orders", "quotes", "licenses")]
    assert states == ["empty"] * 3


@dataclass(frozen=True)
class Odd:
    """The panel's words about an odd record, and texts that it must never show."""

    shown: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    domain: str = "order"
    fields: Mapping[str, Any] = field(default_factory=dict)


BASIS: dict[str, dict[str, Any]] = {
    "order": order("processing", total="80.50", date_completed=None),
    "quote": {
        "organization_id": ACME,
        "status": "sent",
        "total": "80.50",
        "currency": "BRL",
        "valid_until": "2099-05-15",
    },
    "license": {
        "organization_id": ACME,
        "status": "active",
        "product_name": "Relatórios",
        "activations_limit": 1,
        "expires_at": "2099-04-01T00:00:00Z",
    },
}
SHOWN = Odd(("80,50",))
# A new oddity is a row here, and one of its name in site/tests-api.php.
ODD = {
    "ids as strings": SHOWN,
    "missing as empty": SHOWN,
    "keys left out": SHOWN,
    "unknown keys": SHOWN,
    "prefix of WooCommerce": SHOWN,
    "time without a zone": SHOWN,
    "upper case": SHOWN,
    "floats": SHOWN,
    "money as people write it": Odd(("80,50",), fields={"total": "80.50"}),
    "a date that is false": SHOWN,
    "epoch seconds": SHOWN,
    "a date of Brazil": SHOWN,
    "a DateTime of PHP": SHOWN,
    "zero dates": SHOWN,
    "items by their id": Odd(("80,50", "Curso"), domain="quote"),
    "a limit that is empty": Odd(never=("ilimitad",), domain="license"),
    "a limit that is false": Odd(never=("ilimitad",), domain="license"),
}


@pytest.mark.parametrize("oddity", ODD)
def test_an_odd_record_is_shown_as_it_is_meant(site: Site, panel: Panel, oddity: str) -> None:
    odd = ODD[oddity]
    make(site, "organization", ORGANIZATION)
    plain = make(site, odd.domain, BASIS[odd.domain] | {"total": "1250.00"})
    number = make(site, odd.domain, BASIS[odd.domain] | dict(odd.fields) | {"oddity": oddity})
    body = panel.section(f"{odd.domain}s", panel.proven("healthy", ACME)).text
    assert state_of(body) == "fresh"
    assert set(rows_of(body)) == {plain, number}
    text = text_of(body)
    assert [words for words in odd.shown if words not in text] == []
    assert [words for words in odd.never if words in text.lower()] == []


def test_a_whole_float_is_never_shown_as_cents(site: Site, panel: Panel) -> None:
    """PHP writes (float) '100.00' as 100, and nothing in this answer tells whether that counts
    cents."""
    make(site, "organization", ORGANIZATION)
    number = make(site, "order", order("processing", total="100.00", oddity="floats"))
    body = panel.section("orders", panel.proven("healthy", ACME)).text
    assert rows_of(body) == [number]
    text = text_of(body)
    assert "100" in text
    assert not re.search(r"R\$\s*1,00", text)


@pytest.mark.parametrize("oddity", ["texturized", "slashed quotes", "entities in texts"])
def test_an_odd_name_is_shown_as_it_is_meant(site: Site, panel: Panel, oddity: str) -> None:
    make(site, "organization", ORGANIZATION | {"name": "Escola D'Água & Cia", "oddity": oddity})
    text = text_of(panel.section("organization", panel.proven("healthy", ACME)).text)
    assert re.search("Escola D['’]Água & Cia", text), text
    assert "&amp;" not in text
    assert "\\" not in text


@pytest.mark.parametrize(
    "oddity", ["holes after array_filter", "a null among the rows", "rows as pairs"]
)
def test_an_odd_list_is_shown_whole(site: Site, panel: Panel, oddity: str) -> None:
    make(site, "organization", ORGANIZATION)
    numbers = {make(site, "order", order("processing")) for _ in range(3)}
    site.php(f"update_option( 'tests_list_oddity', '{oddity}' );")
    try:
        body = panel.section("orders", panel.proven("healthy", ACME)).text
    finally:
        site.php("delete_option( 'tests_list_oddity' );")
    assert set(rows_of(body)) == numbers
    assert state_of(body) == "fresh"


def test_a_change_in_wordpress_is_seen_in_the_panel(site: Site, panel: Panel) -> None:
    """The hook makes the panel read again: the copy's time would last for another minute."""
    make(site, "organization", ORGANIZATION)
    number = make(site, "order", order("processing"))
    poll(lambda: len(received(panel)) >= 2)  # the hooks of the records themselves
    seal = panel.proven("healthy", ACME)
    assert rows_of(panel.section("orders", seal).text) == [number]
    code = f"update_post_meta( {number}, 'status', 'completed' );"
    site.visit(code)
    assert rows_of(panel.section("orders", seal).text) == [number]  # no hook has come
    site.visit(f"do_action( 'middag/order.completed', {number} );")
    poll(lambda: ("order.completed", ACME, str(number)) in received(panel))
    assert open_rows_of(panel.section("orders", seal).text) == []


def test_a_load_of_events_arrives_in_the_real_panel(site: Site, panel: Panel) -> None:
    names = ("middag/order.paid", "middag/quote/accepted", "middag/license/activated/site")
    for name in names:
        site.visit(f"tests_fire('{name}', 1, 100);")
    site.visit("tests_fire('middag/collaborator.added', 1, 100);")
    poll(lambda: len(received(panel)) == 400, 60)
    arrivals = received(panel)
    assert len(set(arrivals)) == 400
    assert {organization for _, organization, _ in arrivals} == {ACME}
    assert all(find_kind(kind) for kind, _, _ in arrivals)
    log.info("the real panel: fired 400, kept %d", len(set(arrivals)))


def test_the_first_fill_rings_for_every_organization(site: Site, panel: Panel) -> None:
    numbers = {make(site, "organization", {"name": f"O {n}"}) for n in range(5)}
    poll(lambda: site.waiting == 0)
    rung = "MiddagPanelHooks\\Actions::perform( 'ring-all' );"
    site.php(rung)
    poll(lambda: {o for kind, o, _ in received(panel) if kind == "organization.updated"} >= numbers)


def test_a_test_hook_is_ignored_and_kept(site: Site, panel: Panel) -> None:
    output = site.php("echo MiddagPanelHooks\\Actions::perform( 'test' )[1];")
    assert output == "The panel has taken the test hook (202 ignored)."
    assert received(panel) == [("sender.test", None, None)]


def test_the_log_is_silent(site: Site) -> None:
    assert site.complaints == []
