"""Any order, any repetition, any trouble in between: Chatwoot ends the same."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from copy import deepcopy
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from panel.data.links import CONVERSATION, PICKED, Link
from panel.demo.backoffice import SECTIONS, BackOffice
from panel.demo.chatwoot import Chatwoot, Failure, never
from panel.demo.faults import FAULTS
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.errors import PanelError, TryLater
from panel.sync.events import KINDS
from panel.sync.people import OUR_ATTRIBUTES
from panel.sync.reconcile import DELETED
from panel.upstream import client, exchange
from panel.upstream.circuit_breaker import CircuitBreaker
from tests.sync.test_reconcile import SOON, Bench, build, company, entitlement, person

GONE, ACME, BETA, GAMMA = 41, 42, 43, 44
EVENTS = sorted(kind.name for kind in KINDS.values() if kind.learns and "*" not in kind.name)
# Those that answer late are as good as no answer, and each would cost many seconds.
QUICK = sorted(name for name, fault in FAULTS.items() if not fault.wait)
# What a fault answers in the words of an organization that is not there clears it when a hook says
# so too: two witnesses who agree. It must come back, but not within this set of hooks.
HARMLESS = [name for name in QUICK if name != "404"]
ANSWERED = {"oddvalues", "oddrecords"}  # a pass goes on with what can be read

hooks = st.tuples(st.sampled_from([GONE, ACME, BETA, GAMMA]), st.sampled_from(EVENTS))
# A story is short, and each costs a second: shrinking it would take longer than reading it.
whole = settings(phases=[Phase.generate], max_examples=20)
# What is answered is no trouble that a pass waits for: the next hook, or the night, mends it.
failing = st.sampled_from([name for name in QUICK if name not in ANSWERED])
trouble = st.none() | st.tuples(failing, st.none() | st.sampled_from(SECTIONS))
stories = st.lists(st.tuples(hooks, trouble), min_size=1, max_size=8)


def fill(office: BackOffice) -> None:
    """Three organizations with people in common, and one of which nothing is left but a name."""
    for number, name in ((ACME, "Acme"), (BETA, "Beta"), (GAMMA, "Gamma")):
        company(office, number, name, f"office@{number}.example", phone=f"+55 61 99999-00{number}")
        person(office, number, number * 10, f"own@{number}.example", "owner", number)
    person(office, ACME, 1, "ana@both.example", "member", 7)
    person(office, BETA, 2, "Ana@Both.example", "admin", 7)
    person(office, BETA, 3, "bia@both.example", "guest", None)
    person(office, GAMMA, 4, "bia@both.example", "member", None)
    entitlement(office, ACME, 1, "active", SOON)
    entitlement(office, BETA, 2, "suspended", None)


def inhabit(chat: Chatwoot) -> None:
    """Who is there already, and what is being talked about."""
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    told = {"vip": "yes"}
    chat.add_contact(1, name="Ana", email="ana@both.example", custom_attributes=told)
    chat.add_contact(2, name="Owner", email=f"own@{ACME}.example", identifier="shop-7")
    chat.add_conversation(2, 1, 2, custom_attributes={"topic": "billing"})


class Worlds:
    """Both worlds on sockets for many examples; each begins with a panel that knows nothing."""

    def __init__(self) -> None:
        self.office, self.chat = BackOffice([SECRET]), Chatwoot()
        self.office.retry_after = 0
        fill(self.office)
        inhabit(self.chat)
        self.first = deepcopy((self.chat.contacts, self.chat.conversations))
        self.servers = serve(self.office), serve(self.chat)

    @contextmanager
    def fresh(self) -> Iterator[Bench]:
        self.office.heal()
        self.chat.contacts, self.chat.conversations = deepcopy(self.first)
        self.chat.forget()
        with tempfile.TemporaryDirectory() as folder:
            at, chat_at = (server.url for server in self.servers)
            bench = build(self.office, self.chat, at, chat_at, Path(folder))
            client = bench.contacts._office._client
            client.breaker = CircuitBreaker(limit=10_000, own_limit=10_000)
            yield bench
            bench.directory._engine.dispose()

    def end(self) -> dict[str, Any]:
        """What Chatwoot knows, by who it is about; numbers and times of new contacts left out."""
        keys = ("name", "email", "phone_number", "identifier", "custom_attributes")
        people = [{key: row[key] for key in keys} for row in self.chat.contacts.values()]
        talks = [row["custom_attributes"] for row in self.chat.conversations.values()]
        return {"people": sorted(people, key=str), "talks": talks}


@pytest.fixture(scope="module", autouse=True)
def _impatient() -> Iterator[None]:
    """The wait before a second try is proven in test_http; here it would add up to a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "RETRY_AFTER_SECONDS", 0.02)
        yield


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    both = Worlds()
    yield both
    for server in both.servers:
        server.stop()


def live(bench: Bench, story: list[Any]) -> None:
    """The hooks of a story as they come; a pass that fails leaves its hook for the end."""
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
    """Two witnesses, a hook and the back office's own 404, do clear: not in the same story."""
    deleted = any(event == DELETED for (_, event), _ in story)
    return [
        (hook, None if deleted and fault and fault[0] == "404" else fault) for hook, fault in story
    ]


@pytest.fixture(scope="module")
def once(worlds: Worlds) -> dict[str, Any]:
    """What Chatwoot knows after one pass of each."""
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


# -- organizations that share what should be one's own --------------------------------------------

TWINS = [{"phone": "+55 61 98888-0000"}, {"email": "x@twin.example"}]


@pytest.mark.parametrize("value", TWINS, ids=["one phone", "one e-mail"])
def test_companies_that_share_a_value_are_told_the_same_in_both_orders(
    worlds: Worlds, value: dict[str, str]
) -> None:
    """The name is the first one's: it is filled where empty, never replaced."""
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


# -- Chatwoot fails in the midst of what happens once only -----------------------------------------


def failing_for_a_pass(bench: Bench, ending: str) -> None:
    """The next write to such a path fails, and its repetition; what came before it is done."""
    twice = iter([Failure(503), Failure(503)])
    bench.chat.failures = lambda call: next(twice, None) if call.path.endswith(ending) else None


def ana_talks(bench: Bench) -> None:
    bench.chat.add_conversation(1, 1, 1, custom_attributes={"topic": "billing"})


@pytest.fixture
def acme(worlds: Worlds) -> Iterator[Bench]:
    """Everybody is known to Acme, which is then put back as it was."""
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
    kept = [row["custom_attributes"] for row in acme.chat.contacts.values()]
    assert [told for told in kept if set(told) & set(OUR_ATTRIBUTES)] == []
    assert acme.chat.conversations[1]["custom_attributes"] == {"topic": "billing"}


def test_a_seat_that_gets_another_number_keeps_its_conversation(acme: Bench) -> None:
    """A collaborator who was removed and added again is one person of the organization still."""
    acme.office.remove("collaborators", ACME, 1)
    person(acme.office, ACME, 9, "ana@both.example", "member", 7)
    acme.run(ACME)
    told = acme.chat.conversations[1]["custom_attributes"]
    acme.office.remove("collaborators", ACME, 9)
    assert told["middag_organization_id"] == str(ACME)


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
