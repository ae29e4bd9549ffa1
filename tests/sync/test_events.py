import re
from pathlib import Path

import pytest

from panel.sync.events import (
    KINDS,
    LICENSES_SECTION,
    ORDERS_SECTION,
    ORGANIZATION_SECTION,
    QUOTES_SECTION,
    find_kind,
)

# contracts/middag.md §7, the complete catalogue
CATALOGUE = [
    *("organization.created", "organization.updated", "organization.verified"),
    *("entitlement.activated", "entitlement.suspended", "entitlement.expired"),
    *("entitlement.cancelled", "entitlement.renewed"),
    *("order.created", "order.paid", "order.refunded"),
    *("quote.created", "quote.accepted", "quote.paid", "quote.expired"),
    *("license.activated", "license.deactivated", "license.expired"),
    *("ticket.created", "ticket.completed", "ticket.sla_breached"),
    *("invoice.issued", "tax_invoice.issued", "tax_invoice.failed"),
]
OURS = [
    *("collaborator.added", "collaborator.updated", "collaborator.removed"),
    "organization.deleted",
]
GROUPS = {
    "order": ORDERS_SECTION,
    "quote": QUOTES_SECTION,
    "license": LICENSES_SECTION,
    "entitlement": LICENSES_SECTION,
}


def test_the_table_is_the_catalogue_and_ours() -> None:
    named = [kind.name for kind in KINDS]
    assert len(CATALOGUE) == 24
    assert len(named) == len(set(named))
    assert set(named) == {*CATALOGUE, *OURS, *(f"{group}.*" for group in GROUPS)}


@pytest.mark.parametrize("name", [*CATALOGUE, *OURS])
def test_a_kind_of_the_catalogue_has_its_own_row(name: str) -> None:
    kind = find_kind(name)
    assert kind is not None
    assert kind.name == name


@pytest.mark.parametrize("group", GROUPS)
def test_any_other_kind_of_a_group_touches_its_section(group: str) -> None:
    kind = find_kind(f"{group}.never_heard_of")
    assert kind is not None
    assert GROUPS[group] in kind.touches


@pytest.mark.parametrize(
    "name", ["", "order", "order.", ".", "orders.paid", "organization.merged", "ticket.reopened"]
)
def test_anything_else_is_no_kind_of_ours(name: str) -> None:
    assert find_kind(name) is None


def test_the_sections_are_those_of_the_panel() -> None:
    touched = {section for kind in KINDS for section in kind.touches}
    assert touched == {ORGANIZATION_SECTION, ORDERS_SECTION, QUOTES_SECTION, LICENSES_SECTION}
    # The wings do not import each other, so the names are compared as they are written.
    written = Path("panel/web/sections.py").read_text(encoding="utf-8")
    assert all(re.search(rf"[\"']{section}[\"']", written) for section in touched)


def test_whatever_changes_contacts_or_entitlements_is_for_chatwoot_too() -> None:
    for kind in KINDS:
        group = kind.name.partition(".")[0]
        if group in ("organization", "entitlement", "collaborator"):
            assert kind.learns, kind.name
        if group in ("ticket", "invoice", "tax_invoice"):
            assert not kind.learns
            assert kind.touches == ()
