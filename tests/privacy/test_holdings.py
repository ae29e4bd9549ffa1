"""The table of kept data: docs/data.md, the code and the schema agree."""

import re
from pathlib import Path

from sqlalchemy import String, Table, Text, select

from panel.auth import revocation, throttle
from panel.data import db, delivery_log, installation, nights, workers
from panel.data.audit_log import UNCOVERED, AuditEntry, AuditLog, access_log
from panel.data.db import metadata
from panel.privacy.holdings import EXEMPT, HOLDINGS, Subject

ROOT = Path(__file__).resolve().parents[2]
# Modules that add tables.
LOADED = (revocation, throttle, delivery_log, installation, nights, workers)
ROWS = re.findall(
    r"^\| `(\w+)` \| ([^|]*)\| ([^|]*)\| ([^|]*)\|",
    (ROOT / "docs/data.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
DOCUMENTED = {name: (content, how_long, forgotten) for name, content, how_long, forgotten in ROWS}


def texts_of(table: Table) -> set[str]:
    """Return the table's columns that could hold personal data."""
    return {column.name for column in table.columns if isinstance(column.type, String | Text)}


def test_each_table_of_the_schema_is_in_the_list_once() -> None:
    names = [name for name, *_ in ROWS]
    assert sorted(names) == sorted(metadata.tables)


def test_each_column_of_text_is_named_there() -> None:
    missing = {
        f"{table.name}.{column}"
        for table in metadata.tables.values()
        for column in texts_of(table)
        if f"`{column}`" not in DOCUMENTED[table.name][0]
    }
    assert missing == set()


def test_each_table_says_how_long_and_what_forget_does() -> None:
    assert [name for name, (_, how_long, does) in DOCUMENTED.items() if not how_long.strip()] == []
    assert [name for name, (_, how_long, does) in DOCUMENTED.items() if not does.strip()] == []


def test_forget_knows_each_table_or_says_why_not() -> None:
    names = {holding.table.name for holding in HOLDINGS}
    assert names | EXEMPT.keys() == set(metadata.tables)
    assert names & EXEMPT.keys() == set()


def test_who_is_nobody_has_no_rows() -> None:
    """A subject without a key must not choose every row."""
    for holding in HOLDINGS:
        for subject in (Subject(), Subject(emails=frozenset())):
            text = str(holding.of_person(subject).compile())
            assert "1 = 1" not in text, holding.table.name
            assert text, holding.table.name


def test_a_key_within_that_of_somebody_else_is_not_theirs(url: str) -> None:
    """The longer key is neither emptied with the shorter one, nor in its export."""
    engine = db.connect(url)
    theirs = ("known: ana@acme.com, my aunt", "Ana@Acme.com.", "call +5561999990042")
    other_keys = ("mariana@acme.com", "x.ana@acme.com", "ana@acme.com.br", "+55619999900421")
    for note in (*theirs, *other_keys):
        AuditLog(engine).record(AuditEntry(UNCOVERED, 1, 700, 45, note=note))
    (holding,) = (row for row in HOLDINGS if row.table is access_log)
    subject = Subject(emails=frozenset({"ana@acme.com"}), phones=frozenset({"+5561999990042"}))
    with engine.connect() as connection:
        notes = connection.scalars(select(access_log.c.note).where(holding.choose(subject)))
        assert set(notes) == set(theirs)
    engine.dispose()
