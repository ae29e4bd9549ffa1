"""The machine's clock is set back by an hour: nothing is believed for an hour longer than it is."""

import pytest

from panel.cache.policy import CacheControl
from panel.cache.ttl_cache import TtlCache
from panel.errors import Missing, PanelError, Unwell
from tests.cache.kept import Kept, is_news, store_reader, url
from tests.conftest import Clock

__all__ = ["store_reader", "url"]  # fixtures

HOUR = 3600.0


def test_a_copy_from_later_is_asked_anew(store_reader: Kept) -> None:
    version = store_reader.read().version
    store_reader.clock.advance(-HOUR)
    store_reader.office.answer = [2]
    assert is_news(store_reader.cache, version)
    assert store_reader.read().value == [2]


def test_a_refresh_asks_although_the_copy_is_from_later(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.clock.advance(-HOUR)
    store_reader.office.answer = [2]
    assert store_reader.read(CacheControl.NO_CACHE).value == [2]


@pytest.mark.parametrize("error", [Missing(), Unwell("http_500")], ids=["final", "passing"])
def test_a_failure_from_later_is_forgotten(store_reader: Kept, error: PanelError) -> None:
    store_reader.office.answer = error
    store_reader.fail()
    store_reader.clock.advance(-HOUR)
    store_reader.office.answer = [2]
    assert store_reader.read().value == [2]


def test_machines_whose_clocks_differ_by_seconds_share_their_copies(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.clock.advance(-20)
    assert store_reader.read().late is None
    assert store_reader.office.reads == 1


def test_what_a_process_remembers_for_seconds_is_forgotten() -> None:
    clock = Clock()
    memory = TtlCache[str](2, clock)
    memory.put("seal", "checked", clock.now + 10)
    clock.advance(-HOUR)
    assert memory.get("seal") is None
    memory.put("seal", "checked anew", clock.now + 10)
    assert memory.get("seal") == "checked anew"
    clock.advance(10)
    assert memory.get("seal") is None
