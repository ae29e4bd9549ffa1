"""The places of passes: one for each organization, first come, first served, moved and hastened."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select, update

from panel.data import db, inbox, lanes, pass_states, schema
from panel.data.inbox import InboxRow, passes
from panel.data.lanes import Lane, LaneLength, LanePlace

NOW = 1_800_000_000.0


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    database = db.connect(url)
    schema.migrate(database)
    with inbox.write_transaction(database, 0) as connection:
        yield connection
    database.dispose()


def take(connection: Connection, lane: Lane, *places: tuple[int, int]) -> None:
    """`places`: organizations with positions."""
    lane_places = [LanePlace(number, f"pass-{number}-{at}", lane, at) for number, at in places]
    lanes.take_places(connection, lane_places, NOW)


def names(connection: Connection, lane: Lane, count: int = 9, now: float = NOW) -> list[int]:
    return [number for number, _ in lanes.find_next(connection, lane, count, now)]


def fail(connection: Connection, organization: int, side: str = "Chatwoot", tries: int = 3) -> None:
    change = update(passes).where(passes.c.organization == organization)
    connection.execute(change.values(due_at=NOW + 600, side=side, reason="timeout", tries=tries))


def test_who_came_first_is_first_and_asking_again_changes_nothing(connection: Connection) -> None:
    take(connection, Lane.URGENT, (9, 1), (3, 2), (7, 3))
    take(connection, Lane.URGENT, (9, 4), (5, 5))
    assert names(connection, Lane.URGENT) == [9, 3, 7, 5]
    assert names(connection, Lane.URGENT, 2) == [9, 3]


def test_a_hook_moves_a_place_to_the_first_lane_and_a_reconcile_none_back(
    connection: Connection,
) -> None:
    take(connection, Lane.RECONCILE, (1, 1), (2, 2))
    take(connection, Lane.URGENT, (5, 3), (2, 4))
    take(connection, Lane.RECONCILE, (5, 5))
    assert names(connection, Lane.RECONCILE) == [1]
    assert names(connection, Lane.URGENT) == [5, 2]


def test_what_runs_is_passed_over_and_what_waits_behind_it_too(connection: Connection) -> None:
    take(connection, Lane.BACKFILL, (1, 1), (2, 2))
    pass_states.begin_pass(connection, 1, "pass-1-1")
    take(connection, Lane.URGENT, (1, 3))
    assert names(connection, Lane.URGENT) == []
    assert lanes.list_urgent(connection, [1, 2]) == {1}
    pass_states.finish_pass(connection, 1, 3, NOW)
    assert names(connection, Lane.URGENT) == [1]


def test_what_failed_keeps_its_place_and_is_passed_over_until_it_is_due(
    connection: Connection,
) -> None:
    take(connection, Lane.URGENT, (1, 1), (2, 2))
    fail(connection, 1)
    assert names(connection, Lane.URGENT) == [2]
    assert names(connection, Lane.URGENT, now=NOW + 600) == [1, 2]


def test_a_hook_ends_the_wait_and_a_reconcile_does_not(connection: Connection) -> None:
    take(connection, Lane.URGENT, (1, 1), (2, 2))
    fail(connection, 1)
    fail(connection, 2)
    take(connection, Lane.RECONCILE, (1, 3), (2, 4))
    assert names(connection, Lane.URGENT) == []
    take(connection, Lane.URGENT, (2, 5))
    assert names(connection, Lane.URGENT) == [2]
    rows = connection.execute(select(passes.c.organization, passes.c.tries))
    assert {row[0]: row[1] for row in rows} == {1: 3, 2: 2}


def test_what_waits_for_a_side_is_hastened_alone(connection: Connection) -> None:
    take(connection, Lane.URGENT, (1, 1), (2, 2))
    fail(connection, 1, "Chatwoot", tries=0)
    fail(connection, 2, "MIDDAG Account")
    assert lanes.list_failed_sides(connection) == {"Chatwoot", "MIDDAG Account"}
    assert lanes.hasten(connection, "Chatwoot", NOW) == 1
    assert names(connection, Lane.URGENT) == [1]
    assert connection.scalar(select(passes.c.tries).where(passes.c.organization == 1)) == 0


def test_each_lane_has_its_length_and_its_oldest_hook(connection: Connection) -> None:
    rows = [InboxRow(f"r{at}", "reconcile", at, None, NOW, NOW + at, lane=2) for at in (1, 2)]
    inbox.insert_hooks(connection, [*rows, InboxRow("h", "order.paid", 9, None, NOW, NOW + 50)])
    take(connection, Lane.RECONCILE, (1, 1), (2, 2))
    take(connection, Lane.URGENT, (9, 3))
    assert lanes.read_lanes(connection) == {
        Lane.URGENT: LaneLength(1, NOW + 50),
        Lane.BACKFILL: LaneLength(0, None),
        Lane.RECONCILE: LaneLength(2, NOW + 1),
    }
