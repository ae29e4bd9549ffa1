from pathlib import Path

import pytest

from panel.sync import events
from panel.sync.events import KINDS, find_kind
from panel.upstream.documents import DOCUMENTS, LICENSES, ORDERS, ORGANIZATION, QUOTES, Document

# The whole catalogue of the plugin's documentation
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
GROUPS = {"order": ORDERS, "quote": QUOTES, "license": LICENSES, "entitlement": LICENSES}


def test_the_table_is_the_catalogue_and_ours() -> None:
    assert len(CATALOGUE) == 24
    assert set(KINDS) == {*CATALOGUE, *OURS, *(f"{group}.*" for group in GROUPS)}


def test_no_kind_has_two_rows() -> None:
    source = Path(events.__file__).read_text(encoding="utf-8")
    assert source.count('Kind("') == len(KINDS)


@pytest.mark.parametrize("name", [*CATALOGUE, *OURS])
def test_a_kind_of_the_catalogue_has_its_own_row(name: str) -> None:
    kind = find_kind(name)
    assert kind is not None
    assert kind.name == name


@pytest.mark.parametrize("group", GROUPS)
def test_any_other_kind_of_a_group_touches_its_section(group: str) -> None:
    kind = find_kind(f"{group}.never_heard_of")
    assert kind is not None
    assert GROUPS[group] in kind.documents


@pytest.mark.parametrize(
    "name", ["", "order", "order.", ".", "orders.paid", "organization.merged", "ticket.reopened"]
)
def test_anything_else_is_no_kind_of_ours(name: str) -> None:
    assert find_kind(name) is None


def test_every_document_of_the_panel_is_touched_and_no_other() -> None:
    touched = {document for kind in KINDS.values() for document in kind.documents}
    assert touched == set(DOCUMENTS)


@pytest.mark.parametrize(
    ("name", "documents"),
    [
        ("order.created", [ORDERS]),
        ("order.paid", [ORDERS, LICENSES, ORGANIZATION]),
        ("quote.accepted", [QUOTES, ORDERS]),
        ("license.expired", [LICENSES]),
        ("organization.deleted", DOCUMENTS),
        ("invoice.issued", []),
    ],
)
def test_a_kind_touches_what_it_changes_and_nothing_more(
    name: str, documents: list[Document[object]]
) -> None:
    kind = find_kind(name)
    assert kind is not None
    assert kind.touches == tuple(document.name for document in documents)


def test_whatever_changes_contacts_or_entitlements_is_for_chatwoot_too() -> None:
    for kind in KINDS.values():
        group = kind.name.partition(".")[0]
        if group in ("organization", "entitlement", "collaborator"):
            assert kind.learns, kind.name
        if group in ("ticket", "invoice", "tax_invoice"):
            assert not kind.learns
            assert kind.touches == ()
