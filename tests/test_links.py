"""The table of links: the newest word stands, agents' words outlive passes, subjects stay apart."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from panel import db
from panel.errors import Unreachable
from panel.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED, Link, Links


@pytest.fixture
def links(tmp_path: Path) -> Iterator[Links]:
    engine = db.connect(f"sqlite:///{tmp_path / 'deeper' / 'panel.db'}")
    db.migrate(engine)
    yield Links(engine)
    engine.dispose()


def states(links: Links, conversation: int = 101, contact: int = 301) -> set[tuple[str, int, str]]:
    found = links.of(conversation, contact)
    return {(link.scope, link.organization, link.state) for link in found}


def test_a_link_comes_back_as_it_was_put(links: Links) -> None:
    picked = Link(CONVERSATION, 101, 42, PICKED, agent=2, at=5.0)
    links.put(picked)
    assert links.of(101, 301) == [picked]


def test_the_newest_word_about_subject_and_organization_stands(links: Links) -> None:
    links.put(Link(CONVERSATION, 101, 42, PICKED, agent=2))
    links.put(Link(CONVERSATION, 101, 42, REFUSED, agent=3))
    [only] = links.of(101, 301)
    assert (only.state, only.agent) == (REFUSED, 3)


def test_links_of_the_conversation_and_of_the_contact_come_newest_first(links: Links) -> None:
    links.put(Link(CONTACT, 301, 1, PICKED, at=1.0))
    links.put(Link(CONVERSATION, 101, 2, REFUSED, at=3.0))
    links.put(Link(CONTACT, 301, 3, MATCHED, at=2.0))
    assert [link.organization for link in links.of(101, 301)] == [2, 3, 1]


def test_a_number_of_a_contact_is_no_number_of_a_conversation(links: Links) -> None:
    links.put(Link(CONTACT, 101, 42, PICKED))
    links.put(Link(CONVERSATION, 301, 43, PICKED))
    assert links.of(101, 301) == []


def test_undo_forgets_what_agents_said_of_this_organization_and_keeps_matches(
    links: Links,
) -> None:
    links.put(Link(CONVERSATION, 101, 42, REFUSED))
    links.put(Link(CONTACT, 301, 42, PICKED))
    links.put(Link(CONTACT, 301, 43, PICKED))
    links.put(Link(CONVERSATION, 102, 42, PICKED))
    links.put(Link(CONTACT, 301, 44, MATCHED))
    links.remove(101, 301, 42)
    links.remove(101, 301, 44)
    assert states(links) == {(CONTACT, 43, PICKED), (CONTACT, 44, MATCHED)}
    assert states(links, 102, 999) == {(CONVERSATION, 42, PICKED)}


def test_many_agents_can_pick_at_once(links: Links) -> None:
    barrier = threading.Barrier(12)

    def pick(agent: int) -> None:
        barrier.wait(10)
        links.put(Link(CONVERSATION, 101, 42, PICKED, agent=agent))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(pick, range(12)))
    assert states(links) == {(CONVERSATION, 42, PICKED)}


def test_links_are_still_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'panel.db'}"
    for _ in range(2):
        engine = db.connect(url)
        db.migrate(engine)
        links = Links(engine)
        links.put(Link(CONVERSATION, 101, 42, PICKED, at=5.0))
        engine.dispose()
    engine = db.connect(url)
    assert states(Links(engine)) == {(CONVERSATION, 42, PICKED)}
    engine.dispose()


def test_the_database_is_durable_and_lets_readers_read(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    with engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000,
    }  # fmt: skip


def test_a_database_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "panel.db").write_bytes(b"not a database, but long enough to look at" * 100)
    engine = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    links = Links(engine)
    with pytest.raises(Unreachable) as error:
        links.of(101, 301)
    assert error.value.code == "database"
    with pytest.raises(Unreachable):
        links.put(Link(CONVERSATION, 101, 42, PICKED))
    engine.dispose()
