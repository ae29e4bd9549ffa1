"""The table of links: the newest decision stays, decisions outlive passes, subjects stay apart."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from panel.data import db, schema
from panel.data.links import (
    CONTACT,
    CONVERSATION,
    MATCHED,
    PICKED,
    REFUSED,
    Link,
    Links,
    take_back,
)
from panel.errors import Unreachable


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = db.connect(f"sqlite:///{tmp_path / 'deeper' / 'panel.db'}")
    schema.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def links(engine: Engine) -> Links:
    return Links(engine)


def states(links: Links, conversation: int = 101, contact: int = 301) -> set[tuple[str, int, str]]:
    rows = links.find(conversation, contact)
    return {(link.scope, link.organization, link.state) for link in rows}


def taken_back(engine: Engine, *decisions: Link) -> list[Link]:
    with db.transaction(engine) as connection:
        return take_back(connection, decisions)


def test_a_link_comes_back_as_it_was_put(links: Links) -> None:
    link = Link(CONVERSATION, 101, 42, PICKED, agent=2, at=5.0)
    links.put(link)
    assert links.find(101, 301) == [link]


def test_the_newest_word_about_subject_and_organization_stands(links: Links) -> None:
    links.put(Link(CONVERSATION, 101, 42, PICKED, agent=2))
    links.put(Link(CONVERSATION, 101, 42, REFUSED, agent=3))
    [only] = links.find(101, 301)
    assert (only.state, only.agent) == (REFUSED, 3)


def test_links_of_the_conversation_and_of_the_contact_come_newest_first(links: Links) -> None:
    links.put(Link(CONTACT, 301, 1, PICKED, at=1.0))
    links.put(Link(CONVERSATION, 101, 2, REFUSED, at=3.0))
    links.put(Link(CONTACT, 301, 3, MATCHED, at=2.0))
    assert [link.organization for link in links.find(101, 301)] == [2, 3, 1]


def test_a_number_of_a_contact_is_no_number_of_a_conversation(links: Links) -> None:
    links.put(Link(CONTACT, 101, 42, PICKED))
    links.put(Link(CONVERSATION, 301, 43, PICKED))
    assert links.find(101, 301) == []


def test_only_what_is_taken_back_is_forgotten(engine: Engine, links: Links) -> None:
    link = Link(CONVERSATION, 101, 42, REFUSED, at=5.0)
    stays = [Link(CONTACT, 301, 42, PICKED), Link(CONTACT, 301, 43, REFUSED)]
    other = Link(CONVERSATION, 102, 42, PICKED)
    for row in (link, *stays, other, Link(CONTACT, 301, 44, MATCHED)):
        links.put(row)
    assert taken_back(engine, link) == [link]
    assert states(links) == {
        (CONTACT, 42, PICKED), (CONTACT, 43, REFUSED), (CONTACT, 44, MATCHED),
    }  # fmt: skip
    assert states(links, 102, 999) == {(CONVERSATION, 42, PICKED)}


def test_what_somebody_said_meanwhile_is_not_taken_back(engine: Engine, links: Links) -> None:
    link = Link(CONVERSATION, 101, 42, REFUSED, agent=2, at=5.0)
    links.put(link)
    links.put(Link(CONVERSATION, 101, 42, PICKED, agent=3, at=6.0))
    assert taken_back(engine, link) == []
    assert states(links) == {(CONVERSATION, 42, PICKED)}


def test_a_pick_puts_an_end_to_the_other_picks_of_its_subject_alone(links: Links) -> None:
    stays = [
        Link(CONVERSATION, 101, 43, REFUSED),
        Link(CONVERSATION, 101, 44, MATCHED),
        Link(CONVERSATION, 102, 42, PICKED),
        Link(CONTACT, 101, 42, PICKED),
        Link(CONTACT, 301, 42, PICKED),
    ]
    links.put(Link(CONVERSATION, 101, 42, PICKED), *stays)
    links.put(Link(CONVERSATION, 101, 45, PICKED))
    assert states(links) == {
        (CONVERSATION, 45, PICKED), (CONVERSATION, 43, REFUSED), (CONVERSATION, 44, MATCHED),
        (CONTACT, 42, PICKED),
    }  # fmt: skip
    links.put(Link(CONVERSATION, 101, 46, REFUSED))
    assert (CONVERSATION, 45, PICKED) in states(links), "a refusal ends no pick"
    assert states(links, 102, 101) == {(CONVERSATION, 42, PICKED), (CONTACT, 42, PICKED)}


@pytest.mark.parametrize("state", [PICKED, REFUSED])
def test_what_an_agent_says_stands_beside_what_a_pass_found(
    engine: Engine, links: Links, state: str
) -> None:
    link = Link(CONTACT, 301, 42, state, agent=2, at=5.0)
    links.match(301, 42, "email")
    links.put(link)
    links.match(301, 42, "phone")
    assert states(links) == {(CONTACT, 42, MATCHED), (CONTACT, 42, state)}
    taken_back(engine, link)
    [match] = links.find(101, 301)
    assert (match.state, match.rests_on, match.agent) == (MATCHED, "phone", None)


def test_what_a_pass_no_longer_finds_is_gone_and_what_an_agent_said_stays(links: Links) -> None:
    links.match(301, 42, "email")
    links.put(Link(CONTACT, 301, 42, PICKED))
    links.unmatch(301, 42)
    assert states(links) == {(CONTACT, 42, PICKED)}


def test_a_match_that_is_found_again_is_no_newer(links: Links) -> None:
    links.match(301, 42, "email")
    before = links.find(101, 301)
    links.match(301, 42, "email")
    assert links.find(101, 301) == before


# -- contacts that Chatwoot merged -------------------------------------------------------------


def test_ties_follow_a_merged_contact(links: Links) -> None:
    links.put(Link(CONTACT, 301, 42, PICKED, at=5.0, contact=301, email="ana@acme.example"))
    links.put(Link(CONVERSATION, 101, 42, PICKED, at=5.0, contact=301))
    links.put(Link(CONVERSATION, 102, 43, REFUSED, at=6.0, contact=999))
    links.follow_merge(301, 302)
    assert links.find(0, 301) == []
    moved = links.find(101, 302)
    assert {(link.scope, link.subject, link.contact) for link in moved} == {
        (CONTACT, 302, 302), (CONVERSATION, 101, 302),
    }  # fmt: skip
    assert {link.email for link in moved} == {"ana@acme.example", None}
    assert links.find(102, 0)[0].contact == 999


@pytest.mark.parametrize(
    ("old", "new", "stands"),
    [
        ((PICKED, 5.0), (REFUSED, 6.0), {REFUSED}),
        ((REFUSED, 6.0), (PICKED, 5.0), {REFUSED}),
        ((MATCHED, 9.0), (MATCHED, 5.0), {MATCHED}),
        ((MATCHED, 9.0), (PICKED, 5.0), {MATCHED, PICKED}),
        ((PICKED, 5.0), (MATCHED, 9.0), {MATCHED, PICKED}),
        ((MATCHED, 9.0), (REFUSED, 5.0), {MATCHED, REFUSED}),
    ],
)
def test_of_two_words_about_merged_contacts_the_newest_stands_and_a_pass_takes_none_from_an_agent(
    links: Links, old: tuple[str, float], new: tuple[str, float], stands: set[str]
) -> None:
    links.put(Link(CONTACT, 301, 42, old[0], at=old[1]))
    links.put(Link(CONTACT, 302, 42, new[0], at=new[1]))
    links.follow_merge(301, 302)
    assert states(links, 0, 302) == {(CONTACT, 42, state) for state in stands}
    assert {item.at for item in links.find(0, 302)} == (
        {5.0, 9.0} if len(stands) == 2 else {max(old[1], new[1])}
    )


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
        schema.migrate(engine)
        links = Links(engine)
        links.put(Link(CONVERSATION, 101, 42, PICKED, at=5.0))
        engine.dispose()
    engine = db.connect(url)
    assert states(Links(engine)) == {(CONVERSATION, 42, PICKED)}
    engine.dispose()


@pytest.mark.parametrize(("hasty", "synchronous"), [(False, 2), (True, 1)])
def test_the_database_is_durable_and_lets_readers_read(
    tmp_path: Path, hasty: bool, synchronous: int
) -> None:
    """Only rows that do not wait for the disk may be lost in a power cut."""
    lasting = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    engine = db.connect_without_sync(lasting) if hasty else lasting
    with engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal", "synchronous": synchronous,
        "foreign_keys": 1, "busy_timeout": 5000,
    }  # fmt: skip


def test_a_database_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "panel.db").write_bytes(b"not a database, but long enough to look at" * 100)
    engine = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    links = Links(engine)
    with pytest.raises(Unreachable) as error:
        links.find(101, 301)
    assert error.value.code == "database"
    with pytest.raises(Unreachable):
        links.put(Link(CONVERSATION, 101, 42, PICKED))
    engine.dispose()
