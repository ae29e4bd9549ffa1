"""The tables are made as soon as the database is there."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from panel.data import db, schema
from panel.data.migrations.version import WrongSchema
from tests.conftest import wait_until


def test_the_tables_are_tried_until_they_can_be_made_and_each_reason_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schema, "MIGRATE_AGAIN_SECONDS", 0.01)
    away = OperationalError("", {}, Exception("connection refused\nis it running?"))
    odd = RuntimeError("postgresql://panel:the-password@db/panel")
    reasons: list[Exception] = [away, away, odd, away]
    engine = db.connect("postgresql://panel@127.0.0.1:1/panel")

    def tables() -> None:
        if reasons:
            raise reasons.pop(0)

    schema.prepare(engine, tables)
    wait_until(lambda: "so are its tables" in caplog.text)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "connection refused",
        "RuntimeError",
        "connection refused",
        "the database is there, and so are its tables",
    ]


def test_a_database_that_comes_back_too_new_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "MIGRATE_AGAIN_SECONDS", 0.01)
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: ended.append((pid, number)))
    engine = db.connect("postgresql://panel@127.0.0.1:1/panel")
    reasons: list[Exception] = [
        *(OperationalError("", {}, Exception("away")), OperationalError("", {}, Exception("away"))),
        WrongSchema("It is too new."),
    ]

    def migrate() -> None:
        raise reasons.pop(0)

    schema.prepare(engine, migrate)
    wait_until(lambda: ended)
    assert ended == [(os.getpid(), signal.SIGTERM)]
    assert capsys.readouterr().err == "It is too new.\n"


def test_a_process_prepares_its_database_once_whoever_comes_first() -> None:
    engine = db.connect("postgresql://panel@127.0.0.1:1/panel")
    calls: list[int] = []

    def migrate() -> None:
        calls.append(1)
        time.sleep(0.1)

    preparation = schema.Preparation(engine, migrate)
    with ThreadPoolExecutor(4) as pool:
        several = [pool.submit(preparation.ensure) for _ in range(4)]
        for item in several:
            item.result(10)
            assert calls == [1]
    preparation.ensure()
    assert calls == [1]


def test_a_process_whose_database_could_not_be_prepared_tries_again(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'folder'}")
    (tmp_path / "folder").mkdir()
    preparation = schema.Preparation(engine, lambda: schema.migrate(engine))
    with pytest.raises(OperationalError):
        preparation.ensure()
    (tmp_path / "folder").rmdir()
    preparation.ensure()
    schema.require_current(engine)
    engine.dispose()


def test_a_file_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path}")
    with pytest.raises(OperationalError):
        schema.prepare(engine, lambda: schema.migrate(engine))
