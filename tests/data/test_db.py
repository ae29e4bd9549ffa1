"""The tables come with the database, whenever that is there."""

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from panel.data import db
from tests.conftest import wait_until


def test_the_tables_are_tried_until_they_can_be_made_and_each_reason_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(db, "MIGRATE_AGAIN_SECONDS", 0.01)
    away = OperationalError("", {}, Exception("connection refused\nis it running?"))
    odd = RuntimeError("postgresql://panel:the-password@db/panel")
    reasons: list[Exception] = [away, away, odd, away]
    engine = db.connect("postgresql://panel@127.0.0.1:1/panel")

    def tables() -> None:
        if reasons:
            raise reasons.pop(0)

    db.prepare(engine, tables)
    wait_until(lambda: "so are its tables" in caplog.text)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "connection refused",
        "RuntimeError",
        "connection refused",
        "the database is there, and so are its tables",
    ]


def test_a_file_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path}")
    with pytest.raises(OperationalError):
        db.prepare(engine, lambda: db.metadata.create_all(engine))
