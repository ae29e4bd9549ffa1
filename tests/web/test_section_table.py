"""The tables of a section agree; its HTML is shared only between agents who see the same."""

from dataclasses import fields, replace
from typing import Any

import pytest
from jinja2 import StrictUndefined, UndefinedError

from panel.auth.seal import Seal
from panel.cache.policy import CacheControl
from panel.customer.disclosure import VALUE_KINDS
from panel.environment.variables import RECORDS
from panel.sync.events import KINDS
from panel.upstream.documents import DOCUMENTS
from panel.web.section_rendering import SharedKey, make_shared_key, read_moment, render_section
from panel.web.sections import SECTIONS, Section, SectionView, make_view
from tests.conftest import MakePanel, Panel, seal_of

COLOURS = {"amber", "blue", "ruby", "slate", "teal"}
NOW = 1_800_000_000.25

# -- the tables --------------------------------------------------------------------------------


def test_every_document_that_passes_keep_warm_is_shown_and_no_other() -> None:
    assert {section.document for section in SECTIONS.values()} == set(DOCUMENTS)


@pytest.mark.parametrize("section", SECTIONS.values(), ids=lambda section: section.name)
def test_a_hook_touches_the_section_and_not_only_the_end_of_its_organization(
    section: Section,
) -> None:
    touching = {kind.name for kind in KINDS.values() if section.document in kind.documents}
    assert touching > {"organization.deleted"}


@pytest.mark.parametrize("section", SECTIONS.values(), ids=lambda section: section.name)
def test_a_section_says_what_it_uncovers_and_how_its_statuses_look(section: Section) -> None:
    words = [section.uncover, *section.uncover_one.values()]
    assert all(text.startswith("Show ") for text in words)
    assert section.uncover_one.keys() < section.reveals
    assert section.badges.keys() <= section.statuses.keys()
    assert set(section.badges.values()) <= COLOURS


def test_every_link_that_can_be_set_belongs_to_a_section() -> None:
    assert {section.link for section in SECTIONS.values()} - {""} == set(RECORDS)


@pytest.mark.parametrize("link", ["", "invoice"])
def test_a_section_without_a_configured_link_has_none(
    make_panel: MakePanel, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    address = "https://account.example/{id}"
    panel = make_panel(MIDDAG_LINK_ORDER=address, MIDDAG_LINK_QUOTE=address)
    monkeypatch.setitem(SECTIONS, "orders", replace(SECTIONS["orders"], link=link))
    orders, quotes = (panel.section(name, panel.proven()) for name in ("orders", "quotes"))
    assert (orders.status_code, quotes.status_code) == (200, 200)
    assert "<a " not in orders.text
    assert "<a " in quotes.text


def test_a_name_that_no_template_was_given_is_an_error(standing: Panel) -> None:
    assert standing.app.jinja_env.undefined is StrictUndefined
    with pytest.raises(UndefinedError), standing.app.test_request_context():
        standing.app.jinja_env.get_template("sections/orders.html").render()


# -- shared HTML ---------------------------------------------------------------------------

# For each field another value, which a section may have at another time.
OTHERS: dict[str, Any] = {
    "state": "late",
    "version": "another",
    "read_at": NOW - 7200,
    "code": "timeout",
    "retry_at": NOW + 7200,
    "follow": True,
    "masked": frozenset[str](),
    "whole": True,
    "collapsed": True,
}
# The key has the section's name, and in place of its selection the version of the copy.
NAMED = {"section": "name", "selection": "version"}


def make_late_view(panel: Panel) -> SectionView:
    """Make a late section, which shows every part of a view."""
    for number in range(7000, 7030):  # more than the fold of the closed orders draws by itself
        panel.office.put("orders", 42, {"id": number, "status": "completed"})
    reading = panel.services.back_office.read(
        SECTIONS["orders"].document, 42, CacheControl.NO_CACHE
    )
    view = make_view(SECTIONS["orders"], reading, read_moment(), masked=VALUE_KINDS)
    return replace(view, state="late", read_at=NOW - 3600, code="network", retry_at=NOW + 3600)


def test_every_field_of_a_view_is_in_the_key() -> None:
    assert {field.name for field in fields(SectionView)} == {*OTHERS, *NAMED}
    assert {field.name for field in fields(SharedKey)} == {
        *(*OTHERS, "section"),
        *("organization", "locale", "script_root", "second"),
    }


@pytest.fixture
def signing(make_panel: MakePanel) -> Panel:
    """A panel with proven agents, whose sections may be collapsed."""
    return make_panel(PANEL_AGENT_PROOF="access-token")


@pytest.mark.parametrize("name", OTHERS)
def test_what_changes_the_html_changes_the_key(request: pytest.FixtureRequest, name: str) -> None:
    panel = request.getfixturevalue("signing" if name == "collapsed" else "standing")
    with panel.app.test_request_context():
        view = make_late_view(panel)
        if name == "state":
            view = replace(view, state="fresh")
        changed = replace(view, **{name: OTHERS[name]})
        keys = {make_shared_key(variant, 42, NOW) for variant in (view, changed)}
        html = {render_section(variant, 42, "a seal") for variant in (view, changed)}
    assert len(html) == 2, "the test shows what the field does"
    assert len(keys) == 2


def test_the_selection_follows_from_the_version(panel: Panel) -> None:
    """The selection is the one part that is drawn and does not stand in the key."""
    seal = panel.proven()
    before = panel.section("orders", seal).text
    panel.office.put("orders", 42, {**panel.office.orders[42][0], "id": 4299})
    after = panel.refresh("orders", seal).text
    versions = [html.partition('data-version="')[2].partition('"')[0] for html in (before, after)]
    assert versions[0] != versions[1]
    assert 'data-row="4299"' in after


@pytest.mark.parametrize(
    ("name", "section", "organization", "second", "request_of"),
    [
        ("section", "quotes", 42, 0, {}),
        ("organization", "orders", 43, 0, {}),
        ("second", "orders", 42, 1, {}),
        ("locale", "orders", 42, 0, {"headers": {"Accept-Language": "pt-BR"}}),
        ("script_root", "orders", 42, 0, {"environ_overrides": {"SCRIPT_NAME": "/panel"}}),
    ],
    ids=str,
)
def test_what_where_when_and_in_which_language_is_in_the_key(
    standing: Panel,
    name: str,
    section: str,
    organization: int,
    second: int,
    request_of: dict[str, Any],
) -> None:
    with standing.app.test_request_context():
        usual = make_shared_key(SectionView(SECTIONS["orders"], "loading"), 42, NOW)
    with standing.app.test_request_context(**request_of):
        view = SectionView(SECTIONS[section], "loading")
        other = make_shared_key(view, organization, NOW + second)
    assert [field for field in vars(usual) if getattr(usual, field) != getattr(other, field)] == [
        name
    ]


def test_nothing_of_an_agent_is_in_the_key(standing: Panel) -> None:
    """Only a seal's organization stands in the key; its trust decides whether values are masked."""
    names = {field.name for field in fields(SharedKey)}
    assert names & {field.name for field in fields(Seal)} == {"organization"}
    view, keys = SectionView(SECTIONS["orders"], "loading"), set()
    for agent in ("one", "another"):
        headers = {"Authorization": f"Bearer {agent}", "Cookie": f"panel={agent}"}
        address = {"REMOTE_ADDR": f"10.0.0.{len(agent)}"}
        with standing.app.test_request_context(headers=headers, environ_overrides=address):
            keys.add(make_shared_key(view, 42, NOW))
    assert len(keys) == 1


def test_what_one_agent_has_uncovered_is_kept_for_nobody(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    panel.section("orders", seal)
    count = len(panel.services.rendered)
    form = {"section": "orders", "reason": "Customer gave the order number"}
    answer = panel.ask("POST", "/uncover", seal, data=form)
    assert "data-uncovered" in answer.text
    assert len(panel.services.rendered) == count
    again = panel.section("orders", seal_of(answer.text))
    assert "data-uncovered" in again.text
    assert len(panel.services.rendered) <= count
    assert "data-seal" not in panel.section("orders", seal).text
