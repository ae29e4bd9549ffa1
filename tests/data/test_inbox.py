"""The rows of the inbox; tests/sync tests the inbox on both databases, through the engine."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import Connection, Engine, select

from panel.data import db, dead_letters, inbox, lanes, pass_states, schema
from panel.data.inbox import InboxRow
from panel.data.lanes import Lane, LanePlace
from tests.waiting import list_waiting

NOW = 1_800_000_000.0
ENTRY = InboxRow("h1", "order.paid", 7, "501", NOW - 3, NOW)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    database = db.connect(f"sqlite:///{tmp_path}/panel.db")
    schema.migrate(database)
    yield database
    database.dispose()


@pytest.fixture
def connection(database: Engine) -> Iterator[Connection]:
    with inbox.write_transaction(database, 7) as connection:
        yield connection


def keep(connection: Connection, *names: str, organization: int | None = 7) -> list[int]:
    entries = [replace(ENTRY, hook_id=name, organization=organization) for name in names]
    assert all(inbox.insert_hooks(connection, entries))
    query = select(inbox.hooks.c.seq).where(inbox.hooks.c.hook_id.in_(names))
    return list(connection.scalars(query.order_by(inbox.hooks.c.seq)))


def wait(connection: Connection, organization: int, pass_id: str) -> bool:
    lanes.take_places(connection, [LanePlace(organization, pass_id, Lane.URGENT, 1)], NOW)
    query = select(inbox.passes.c.waiting).where(inbox.passes.c.organization == organization)
    return connection.scalar(query) == pass_id


def statuses(connection: Connection) -> dict[str, str]:
    columns = select(inbox.hooks.c.hook_id, inbox.hooks.c.status)
    return {row[0]: row[1] for row in connection.execute(columns)}


def test_an_id_is_kept_once(connection: Connection) -> None:
    assert inbox.insert_hooks(connection, [ENTRY]) == [1]
    assert inbox.insert_hooks(connection, [replace(ENTRY, kind="order.refunded")]) == [0]
    entries = [replace(ENTRY, hook_id=name) for name in ("h2", "h1", "h3", "h2")]
    second, again, third, twice = inbox.insert_hooks(connection, entries)
    assert 1 < second < third
    assert (again, twice) == (0, 0)
    assert set(statuses(connection)) == {"h1", "h2", "h3"}


def test_no_payload_is_kept() -> None:
    assert {column.name for column in inbox.hooks.columns} == {
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
        "side",
        "settled_at",
        "settled_by",
        "lane",
    }


def test_only_one_pass_waits(connection: Connection) -> None:
    assert wait(connection, 7, "first") is True
    assert wait(connection, 7, "second") is False
    assert wait(connection, 8, "another organization's") is True
    pass_states.begin_pass(connection, 7, "first")
    assert wait(connection, 7, "second") is True


def test_a_pass_answers_the_hooks_that_were_there_when_it_began(connection: Connection) -> None:
    keep(connection, "a", "b")
    keep(connection, "foreign", organization=8)
    wait(connection, 7, "pass")
    sequences = pass_states.begin_pass(connection, 7, "pass")
    keep(connection, "late")
    assert sequences is not None
    pass_states.finish_pass(connection, 7, sequences[0], NOW)
    assert statuses(connection) == {
        "a": "done",
        "b": "done",
        "foreign": "waiting",
        "late": "waiting",
    }


def test_a_pass_that_begins_again_after_a_death_is_the_same(connection: Connection) -> None:
    keep(connection, "a")
    wait(connection, 7, "pass")
    first = pass_states.begin_pass(connection, 7, "pass")
    keep(connection, "b")
    wait(connection, 7, "next")
    again = pass_states.begin_pass(connection, 7, "pass")
    assert first is not None
    assert again is not None
    assert again[0] > first[0]
    # The pass has not taken the place of the one that waits now.
    assert wait(connection, 7, "third") is False


def test_an_overtaken_pass_has_nothing_to_do(connection: Connection) -> None:
    keep(connection, "a")
    wait(connection, 7, "early")
    pass_states.postpone_pass(connection, 7, "late", NOW)
    assert pass_states.begin_pass(connection, 7, "early") is None
    assert pass_states.begin_pass(connection, 7, "late") is not None
    assert pass_states.begin_pass(connection, 9, "nobody's") is None


def test_the_first_try_says_what_the_last_one_buries(connection: Connection) -> None:
    keep(connection, "elder")
    wait(connection, 7, "one")
    sequences = pass_states.begin_pass(connection, 7, "one")
    assert sequences is not None
    assert pass_states.count_failure(connection, 7) == 1
    pass_states.postpone_pass(connection, 7, "two", NOW)
    keep(connection, "younger")
    through, first = pass_states.begin_pass(connection, 7, "two") or (0, 0)
    assert through > first == sequences[1]
    assert pass_states.count_failure(connection, 7) == 2
    assert pass_states.bury_hooks(connection, 7, first, "http_500", "two", NOW) is True
    assert statuses(connection) == {"elder": "buried", "younger": "waiting"}
    # From here on the younger pass has its turn.
    wait(connection, 7, "three")
    through, first = pass_states.begin_pass(connection, 7, "three") or (0, 0)
    assert through == first
    assert pass_states.count_failure(connection, 7) == 1


def test_what_is_buried_is_told_by_pass(connection: Connection) -> None:
    first, second = keep(connection, "a", "b")
    pass_states.bury_hooks(connection, 7, second, "denied", "pass", NOW + 9)
    lone = InboxRow("lost", "order.paid", None, None, NOW, NOW + 1, inbox.BURIED, "no_organization")
    inbox.insert_hooks(connection, [lone])
    assert dead_letters.list_buried(connection) == [
        dead_letters.BuriedHooks("pass", 7, "denied", 2, NOW, NOW + 9),
        dead_letters.BuriedHooks("lost", None, "no_organization", 1, NOW + 1, NOW + 1),
    ]
    assert dead_letters.find_buried(connection, "b") == (7, "pass")
    assert dead_letters.find_buried(connection, "lost") is None
    assert dead_letters.unbury_hooks(connection, "pass") is True
    assert dead_letters.unbury_hooks(connection, "pass") is False
    assert list_waiting(connection) == {7: second}
    assert first < second


def test_counts(connection: Connection) -> None:
    (seq,) = keep(connection, "a")
    assert inbox.count_hooks(connection, NOW) == inbox.HookCounts(0, 0)
    pass_states.finish_pass(connection, 7, seq, NOW)
    assert inbox.count_hooks(connection, NOW) == inbox.HookCounts(0, 1)
    assert inbox.count_hooks(connection, NOW + inbox.DAY_SECONDS) == inbox.HookCounts(0, 0)


def test_the_sweep_keeps_what_waits_and_every_id_for_thirty_days(connection: Connection) -> None:
    (seq,) = keep(connection, "done")
    pass_states.finish_pass(connection, 7, seq, NOW)
    keep(connection, "waiting")
    inbox.delete_old_hooks(connection, 1, NOW + 30 * inbox.DAY_SECONDS)
    assert set(statuses(connection)) == {"done", "waiting"}
    inbox.delete_old_hooks(connection, 60, NOW + 31 * inbox.DAY_SECONDS)
    assert set(statuses(connection)) == {"done", "waiting"}
    inbox.delete_old_hooks(connection, 1, NOW + 31 * inbox.DAY_SECONDS)
    assert set(statuses(connection)) == {"waiting"}


def test_who_cannot_have_the_file_in_time_gives_up(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "WRITE_SECONDS", 0.05)
    theirs = FileLock(f"{database.url.database}.writing.lock")  # stands for another process's lock
    with theirs, pytest.raises(TimeoutError), inbox.write_transaction(database, 7):
        pass
    with inbox.write_transaction(database, 7) as connection:
        assert keep(connection, "a")
    theirs.acquire(timeout=0)
    theirs.release()


def test_a_transaction_that_breaks_leaves_nothing(database: Engine) -> None:
    def break_down() -> None:
        with inbox.write_transaction(database, 7) as connection:
            keep(connection, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_down()
    with inbox.write_transaction(database, 7) as connection:
        assert statuses(connection) == {}
