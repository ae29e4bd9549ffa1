"""The journal's rows and marks; through the engine it is tested on both databases in tests/sync."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import Connection, Engine, select

from panel import db, journal
from panel.journal import Entry

NOW = 1_800_000_000.0
ENTRY = Entry("h1", "order.paid", 7, "501", NOW - 3, NOW)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    database = db.connect(f"sqlite:///{tmp_path}/panel.db")
    db.migrate(database)
    yield database
    database.dispose()


@pytest.fixture
def connection(database: Engine) -> Iterator[Connection]:
    with journal.writing(database, 7) as connection:
        yield connection


def keep(connection: Connection, *names: str, organization: int | None = 7) -> list[int]:
    entries = [replace(ENTRY, hook_id=name, organization=organization) for name in names]
    assert journal.keep(connection, entries) == [True] * len(names)
    named = select(journal.hooks.c.seq).where(journal.hooks.c.hook_id.in_(names))
    return list(connection.scalars(named.order_by(journal.hooks.c.seq)))


def wait(connection: Connection, organization: int, pass_id: str) -> bool:
    return journal.wait(connection, {organization: pass_id}) == [organization]


def statuses(connection: Connection) -> dict[str, str]:
    columns = select(journal.hooks.c.hook_id, journal.hooks.c.status)
    return {row[0]: row[1] for row in connection.execute(columns)}


def test_an_id_is_kept_once(connection: Connection) -> None:
    assert journal.keep(connection, [ENTRY]) == [True]
    assert journal.keep(connection, [replace(ENTRY, kind="order.refunded")]) == [False]
    others = [replace(ENTRY, hook_id=name) for name in ("h2", "h1", "h3", "h2")]
    assert journal.keep(connection, others) == [True, False, True, False]
    assert set(statuses(connection)) == {"h1", "h2", "h3"}


def test_no_payload_is_kept() -> None:
    assert {column.name for column in journal.hooks.columns} == {
        "seq",
        "hook_id",
        "kind",
        "organization",
        "subject",
        "occurred_at",
        "received_at",
        "status",
        "reason",
        "finished_at",
        "pass_id",
    }


def test_only_one_pass_waits(connection: Connection) -> None:
    assert wait(connection, 7, "first") is True
    assert wait(connection, 7, "second") is False
    assert wait(connection, 8, "another organization's") is True
    journal.begin(connection, 7, "first")
    assert wait(connection, 7, "second") is True
    assert set(journal.wait(connection, {7: "a", 10: "b", 8: "c", 11: "d"})) == {10, 11}
    assert journal.wait(connection, {}) == []


def test_a_pass_answers_the_hooks_that_were_there_when_it_began(connection: Connection) -> None:
    keep(connection, "a", "b")
    keep(connection, "foreign", organization=8)
    wait(connection, 7, "pass")
    begun = journal.begin(connection, 7, "pass")
    keep(connection, "late")
    assert begun is not None
    journal.done(connection, 7, begun[0], NOW)
    assert statuses(connection) == {
        "a": "done",
        "b": "done",
        "foreign": "waiting",
        "late": "waiting",
    }


def test_a_pass_that_begins_again_after_a_death_is_the_same(connection: Connection) -> None:
    keep(connection, "a")
    wait(connection, 7, "pass")
    first = journal.begin(connection, 7, "pass")
    keep(connection, "b")
    wait(connection, 7, "next")
    again = journal.begin(connection, 7, "pass")
    assert first is not None
    assert again is not None
    assert again[0] > first[0]
    # And it has not taken the mark of the one that waits now.
    assert wait(connection, 7, "third") is False


def test_an_overtaken_pass_has_nothing_to_do(connection: Connection) -> None:
    keep(connection, "a")
    wait(connection, 7, "early")
    journal.postpone(connection, 7, "late")
    assert journal.begin(connection, 7, "early") is None
    assert journal.begin(connection, 7, "late") is not None
    assert journal.begin(connection, 9, "nobody's") is None


def test_the_first_try_says_what_the_last_one_buries(connection: Connection) -> None:
    keep(connection, "elder")
    wait(connection, 7, "one")
    begun = journal.begin(connection, 7, "one")
    assert begun is not None
    assert journal.failed(connection, 7) == 1
    journal.postpone(connection, 7, "two")
    keep(connection, "younger")
    through, first = journal.begin(connection, 7, "two") or (0, 0)
    assert through > first == begun[1]
    assert journal.failed(connection, 7) == 2
    assert journal.bury(connection, 7, first, "http_500", "two", NOW) is True
    assert statuses(connection) == {"elder": "buried", "younger": "waiting"}
    # From here on it is the younger one's turn.
    wait(connection, 7, "three")
    through, first = journal.begin(connection, 7, "three") or (0, 0)
    assert through == first
    assert journal.failed(connection, 7) == 1


def test_what_is_buried_is_told_by_pass(connection: Connection) -> None:
    first, second = keep(connection, "a", "b")
    journal.bury(connection, 7, second, "denied", "pass", NOW + 9)
    lone = Entry("lost", "order.paid", None, None, NOW, NOW + 1, journal.BURIED, "no_organization")
    journal.keep(connection, [lone])
    assert journal.buried(connection) == [
        journal.Buried("pass", 7, "denied", 2, NOW, NOW + 9),
        journal.Buried("lost", None, "no_organization", 1, NOW + 1, NOW + 1),
    ]
    assert journal.find_buried(connection, "b") == (7, "pass")
    assert journal.find_buried(connection, "lost") is None
    assert journal.put_back(connection, "pass") is True
    assert journal.put_back(connection, "pass") is False
    assert journal.waiting(connection) == {7: second}
    assert first < second


def test_counts(connection: Connection) -> None:
    (seq,) = keep(connection, "a")
    assert journal.counts(connection, NOW) == journal.Counts(0, 0, NOW)
    journal.done(connection, 7, seq, NOW)
    assert journal.counts(connection, NOW) == journal.Counts(0, 1, None)
    assert journal.counts(connection, NOW + journal.DAY) == journal.Counts(0, 0, None)


def test_the_sweep_keeps_what_waits_and_every_id_for_thirty_days(connection: Connection) -> None:
    (seq,) = keep(connection, "done")
    journal.done(connection, 7, seq, NOW)
    keep(connection, "waiting")
    journal.sweep(connection, 1, NOW + 30 * journal.DAY)
    assert set(statuses(connection)) == {"done", "waiting"}
    journal.sweep(connection, 60, NOW + 31 * journal.DAY)
    assert set(statuses(connection)) == {"done", "waiting"}
    journal.sweep(connection, 1, NOW + 31 * journal.DAY)
    assert set(statuses(connection)) == {"waiting"}


def test_who_cannot_have_the_file_in_time_gives_up(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PATIENCE", 0.05)
    theirs = FileLock(f"{database.url.database}.writing.lock")  # of another process, as it were
    with theirs, pytest.raises(TimeoutError), journal.writing(database, 7):
        pass
    with journal.writing(database, 7) as connection:
        assert keep(connection, "a")
    theirs.acquire(timeout=0)
    theirs.release()


def test_a_transaction_that_breaks_leaves_nothing(database: Engine) -> None:
    def break_down() -> None:
        with journal.writing(database, 7) as connection:
            keep(connection, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_down()
    with journal.writing(database, 7) as connection:
        assert statuses(connection) == {}
