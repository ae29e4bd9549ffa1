"""The export of all that is kept of a person or an organization, as plain JSON."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from panel.data.db import transaction
from panel.errors import Missing
from panel.privacy.holdings import HOLDINGS, Subject
from panel.services import Services
from panel.sync.people import OUR_ATTRIBUTES
from panel.upstream.documents import EVERY_DOCUMENT


def export_subject(shared: Services, subject: Subject) -> dict[str, Any]:
    """Export a subject. `tables`: rows by table; `copies`: kept answers of MIDDAG Account, by
    organization and document; `chatwoot`: what we wrote there, by contact. Raises `PanelError`."""
    return {
        "organization": subject.organization or None,
        "emails": sorted(subject.emails),
        "phones": sorted(subject.phones),
        "tables": _list_rows(shared, subject),
        "copies": list(_list_copies(shared, subject)),
        "chatwoot": list(_list_written(shared, subject)),
    }


def _list_rows(shared: Services, subject: Subject) -> dict[str, list[dict[str, Any]]]:
    with transaction(shared.database) as connection:
        rows_by_table = {
            holding.table.name: [
                dict(row)
                for row in connection.execute(
                    select(holding.table).where(holding.choose(subject))
                ).mappings()
            ]
            for holding in HOLDINGS
        }
    return {name: rows for name, rows in rows_by_table.items() if rows}


def _list_copies(shared: Services, subject: Subject) -> Iterator[dict[str, Any]]:
    """Yield the kept answers; for a person, only the records of lists that contain one of the
    person's keys."""
    keys = subject.emails | subject.phones
    for organization in sorted(subject.organizations):
        for document in EVERY_DOCUMENT:
            resource = shared.back_office.resource(document, organization)
            _, entry = shared.cache.look(resource)
            body = entry.copy.body if entry.copy else None
            if subject.is_person:
                rows = body.get("rows", []) if isinstance(body, dict) else []
                body = [row for row in rows if _names(row, keys)]
            if body:
                names = {"organization": organization, "document": document.name}
                yield {**names, "records": body}


def _names(record: Any, keys: frozenset[str]) -> bool:
    values = record.values() if isinstance(record, dict) else ()
    return any(isinstance(value, str) and value.strip().lower() in keys for value in values)


def _list_written(shared: Services, subject: Subject) -> Iterator[dict[str, Any]]:
    for number in sorted(subject.contacts):
        try:
            attributes = shared.chatwoot.contact(number).attributes
        except Missing:
            continue
        ours = {key: attributes[key] for key in OUR_ATTRIBUTES if key in attributes}
        yield {"contact": number, "attributes": ours}
