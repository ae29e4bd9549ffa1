"""In any order, with any repetition and any trouble in between, Chatwoot ends up the same."""

from contextlib import nullcontext, suppress
from itertools import permutations
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from panel.demo.backoffice import SECTIONS
from panel.demo.faults import FAULTS
from panel.errors import PanelError
from panel.sync.events import KINDS
from panel.sync.reconcile import DELETED
from tests.sync.passes import Bench, company
from tests.sync.stories import ACME, BETA, GAMMA, GONE, Worlds, ana_talks, impatient, worlds

__all__ = ["impatient", "worlds"]  # fixtures


EVENTS = sorted(kind.name for kind in KINDS.values() if kind.learns and "*" not in kind.name)
# Faults that answer late are left out: they count as no answer, and each would cost many seconds.
QUICK = sorted(name for name, fault in FAULTS.items() if not fault.wait)
# A fault that answers "unknown organization", together with a hook of a deletion, clears the
# organization: two witnesses agree. The organization comes back later, but not within these hooks.
HARMLESS = [name for name in QUICK if name != "404"]
ANSWERED = {"oddvalues", "oddrecords"}  # a pass goes on with the readable values

hooks = st.tuples(st.sampled_from([GONE, ACME, BETA, GAMMA]), st.sampled_from(EVENTS))
# Stories are short, and each costs a second: shrinking a story would take longer than reading it.
whole = settings(phases=[Phase.generate], max_examples=20)
# Faults with an answer are no trouble for which a pass waits: the next hook, or the night, mends
# the values.
failing = st.sampled_from([name for name in QUICK if name not in ANSWERED])
trouble = st.none() | st.tuples(failing, st.none() | st.sampled_from(SECTIONS))
stories = st.lists(st.tuples(hooks, trouble), min_size=1, max_size=8)


def live(bench: Bench, story: list[Any]) -> None:
    """Run the hooks of a story in order; the hook of a failed pass is left for the end."""
    waiting: dict[int, set[str]] = {}
    for (organization, event), fault in story:
        waiting.setdefault(organization, set()).add(event)
        if fault:
            bench.office.fault(fault[0], None, fault[1])
        with suppress(PanelError):
            bench.run(organization, *sorted(waiting[organization]))
            waiting.pop(organization)
        bench.office.heal()
    for organization, events in waiting.items():
        with suppress(PanelError):
            bench.run(organization, *sorted(events))


def rung(story: list[Any]) -> list[int]:
    return sorted({organization for (organization, _), _ in story})


@whole
@given(story=stories)
def test_any_hooks_in_any_trouble_leave_the_same_chatwoot(worlds: Worlds, story: list[Any]) -> None:
    with worlds.fresh() as bench:
        for organization in rung(story):
            with suppress(PanelError):
                bench.run(organization)
        right = worlds.end()
    with worlds.fresh() as bench:
        live(bench, harmless(story))
        assert worlds.end() == right


def harmless(story: list[Any]) -> list[Any]:
    """Return the story without one of two witnesses: a hook and the back office's own 404 would
    clear the organization."""
    deleted = any(event == DELETED for (_, event), _ in story)
    return [
        (hook, None if deleted and fault and fault[0] == "404" else fault) for hook, fault in story
    ]


@pytest.fixture(scope="module")
def once(worlds: Worlds) -> dict[str, Any]:
    """Return Chatwoot's data after a pass of each organization."""
    with worlds.fresh() as bench:
        live(bench, [((number, "order.paid"), None) for number in (ACME, BETA, GAMMA)])
        return worlds.end()


@whole
@given(order=st.permutations([GONE, ACME, BETA, GAMMA] * 2))
def test_any_order_with_repetitions_leaves_the_same_chatwoot(
    worlds: Worlds, once: dict[str, Any], order: list[int]
) -> None:
    with worlds.fresh() as bench:
        live(bench, [((number, "order.paid"), None) for number in order])
        assert worlds.end() == once


@pytest.mark.parametrize("section", [None, "collaborators"])
@pytest.mark.parametrize("fault", HARMLESS)
def test_no_fault_of_the_plugin_clears_anything(
    worlds: Worlds, fault: str, section: str | None
) -> None:
    with worlds.fresh() as bench:
        bench.run(ACME)
        right = worlds.end()
        bench.office.fault(fault, ACME, section)
        with nullcontext() if fault in ANSWERED else pytest.raises(PanelError):
            bench.run(ACME, DELETED, "collaborator.removed")
        assert worlds.end() == right


def test_a_deletion_that_was_wrong_is_undone_by_the_next_pass(worlds: Worlds) -> None:
    with worlds.fresh() as bench:
        bench.run(ACME)
        right = worlds.end()
        bench.office.fault("404", ACME)
        bench.run(ACME, DELETED)
        assert worlds.end() != right
        bench.office.heal()
        bench.run(ACME)
        assert worlds.end() == right


# -- organizations that share a value --------------------------------------------


TWINS = [{"phone": "+55 61 98888-0000"}, {"email": "x@twin.example"}]


@pytest.mark.parametrize("value", TWINS, ids=["one phone", "one e-mail"])
def test_companies_that_share_a_value_are_told_the_same_in_both_orders(
    worlds: Worlds, value: dict[str, str]
) -> None:
    """The contact keeps the first organization's name: an empty name is filled, and never
    replaced."""
    ends = []
    for order in permutations((51, 52)):
        with worlds.fresh() as bench:
            for number in (51, 52):
                company(bench.office, number, f"Twin {number}", **value)
            for number in (*order, *order):
                bench.run(number)
            ends.append([row["custom_attributes"] for row in worlds.end()["people"]])
    assert ends[0] == ends[1]


def test_the_talk_of_a_person_of_two_organizations_ends_the_same_in_both_orders(
    worlds: Worlds,
) -> None:
    ends = []
    for order in permutations((ACME, BETA)):
        with worlds.fresh() as bench:
            ana_talks(bench)
            for number in (*order, *order):
                bench.run(number)
            ends.append(worlds.end()["talks"])
    assert ends[0] == ends[1]
