"""Chatwoot fails in the midst of work that is done only once."""

from collections.abc import Iterator

import pytest

from panel.data.links import CONVERSATION, PICKED, Link
from panel.demo.chatwoot import Failure, never
from panel.errors import TryLater
from panel.sync.people import OUR_ATTRIBUTES
from panel.sync.reconcile import DELETED
from panel.upstream import exchange
from tests.sync.passes import Bench, person
from tests.sync.stories import ACME, Worlds, ana_talks, fill, impatient, worlds

__all__ = ["impatient", "worlds"]  # fixtures


def failing_for_a_pass(bench: Bench, ending: str) -> None:
    """Let the next write to such a path and its repetition fail; earlier writes succeed."""
    twice = iter([Failure(503), Failure(503)])
    bench.chat.failures = lambda call: next(twice, None) if call.path.endswith(ending) else None


@pytest.fixture
def acme(worlds: Worlds) -> Iterator[Bench]:
    """A bench where passes have seated all people of Acme; the test ends with Acme as it was."""
    with worlds.fresh() as bench:
        ana_talks(bench)
        bench.run(ACME)
        yield bench
        bench.chat.failures = never
        fill(bench.office)


BREAKS = ["/destroy_custom_attributes", "/custom_attributes"]


@pytest.mark.parametrize("ending", BREAKS)
def test_who_left_is_cleared_although_chatwoot_failed_meanwhile(acme: Bench, ending: str) -> None:
    acme.office.remove("collaborators", ACME, 1)
    failing_for_a_pass(acme, ending)
    with pytest.raises(TryLater):
        acme.run(ACME)
    acme.run(ACME)
    assert acme.told(email="ana@both.example") == {"vip": "yes"}
    assert acme.chat.conversations[1]["custom_attributes"] == {"topic": "billing"}


@pytest.mark.parametrize("ending", BREAKS)
def test_a_deleted_organization_is_cleared_although_chatwoot_failed_meanwhile(
    acme: Bench, ending: str
) -> None:
    acme.office.remove("organization", ACME, ACME)
    failing_for_a_pass(acme, ending)
    with pytest.raises(TryLater):
        acme.run(ACME, DELETED)
    acme.run(ACME, DELETED)
    attributes = [row["custom_attributes"] for row in acme.chat.contacts.values()]
    assert [attributes for attributes in attributes if set(attributes) & set(OUR_ATTRIBUTES)] == []
    assert acme.chat.conversations[1]["custom_attributes"] == {"topic": "billing"}


def test_a_seat_that_gets_another_number_keeps_its_conversation(acme: Bench) -> None:
    """A collaborator who was removed and added again is still the same person of the
    organization."""
    acme.office.remove("collaborators", ACME, 1)
    person(acme.office, ACME, 9, "ana@both.example", "member", 7)
    acme.run(ACME)
    attributes = acme.chat.conversations[1]["custom_attributes"]
    acme.office.remove("collaborators", ACME, 9)
    assert attributes["middag_organization_id"] == str(ACME)


def test_who_left_keeps_the_conversation_that_an_agent_picked(acme: Bench) -> None:
    acme.links.put(Link(CONVERSATION, 1, ACME, PICKED, agent=2, disclosed=True))
    acme.office.remove("collaborators", ACME, 1)
    acme.run(ACME)
    assert acme.chat.conversations[1]["custom_attributes"]["middag_organization_id"] == str(ACME)


def test_a_back_office_that_hangs_clears_nothing(
    worlds: Worlds, acme: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "READ_SECONDS", 1.0)
    right = worlds.end()
    acme.office.fault("hang", ACME)
    with pytest.raises(TryLater, match="timeout"):
        acme.run(ACME, DELETED)
    assert worlds.end() == right
