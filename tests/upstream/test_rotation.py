"""The shared secret changes while panels are open: no agent notices, whichever side is first."""

from collections.abc import Callable

import pytest

from panel.demo.worlds import SECRET
from panel.errors import Blocked, Missing, Unauthorized
from panel.services import get
from panel.sync.jobs import Jobs
from panel.upstream.exchange import Answer
from panel.upstream.rotation import REMEMBERED_MINUTE, SecretRotation
from tests.conftest import Clock, MakePanel, Panel, seal_of, state_of

NEW = "a-new-secret-of-24-characters"
BOTH = f"{NEW},{SECRET}"
OFFICE = "https://office.example.com/wp-json/middag-account/v1"


def states(panel: Panel, seal: str) -> set[str | None]:
    """Return the states of sections that are read anew."""
    return {state_of(panel.refresh(name, seal).text) for name in ("orders", "organization")}


@pytest.mark.parametrize("listed", [BOTH, f"{SECRET},{NEW}"])
def test_open_panels_read_on_while_the_plugin_changes(make_panel: MakePanel, listed: str) -> None:
    """The documented order: both secrets in our list, then the change in the plugin, then the old
    secret leaves the list."""
    before = make_panel()
    seal = seal_of(before.open().text)
    during = make_panel(CHATWOOT_CONTACT_VIEW_SECRET=listed)
    assert states(during, seal) == {"fresh"}, "the seal of before holds"
    during.office.secrets = [NEW]
    assert states(during, seal) == {"fresh"}
    get(Jobs, during.app).bring_in_line(42)
    renewed = seal_of(during.open().text)
    during.office.secrets = [SECRET]
    assert states(during, renewed) == {"fresh"}, "and back, should somebody take it back"
    during.office.secrets = [NEW]
    after = make_panel(CHATWOOT_CONTACT_VIEW_SECRET=NEW)
    assert after.open().status_code == 200
    assert (states(after, renewed) == {"fresh"}) is listed.startswith(NEW)


def test_a_refused_first_secret_costs_one_call_a_minute(make_panel: MakePanel) -> None:
    panel = make_panel(CHATWOOT_CONTACT_VIEW_SECRET=BOTH)
    seal = seal_of(panel.open().text)
    panel.office.forget()
    for _ in range(3):
        assert state_of(panel.refresh("orders", seal).text) == "fresh"
    authorizations = [call.headers["authorization"] for call in panel.office.calls]
    assert authorizations == [f"Bearer {NEW}", *[f"Bearer {SECRET}"] * 3]


def test_one_secret_that_is_refused_is_refused(make_panel: MakePanel) -> None:
    panel = make_panel()
    seal = seal_of(panel.open().text)
    panel.office.secrets = [NEW]
    panel.office.forget()
    assert state_of(panel.refresh("orders", seal).text) == "failed"
    assert panel.office.count() == 1


def test_neither_of_two_is_accepted(make_panel: MakePanel) -> None:
    panel = make_panel(CHATWOOT_CONTACT_VIEW_SECRET=BOTH)
    seal = seal_of(panel.open().text)
    panel.office.secrets = ["a-third-secret-of-24-characters"]
    panel.office.forget()
    answer = panel.refresh("orders", seal)
    assert state_of(answer.text) == "failed"
    assert "unauthorized" in answer.text
    assert panel.office.count() == 2


@pytest.mark.parametrize("fault", ["403", "404", "500", "html"])
def test_whoever_else_refuses_sees_no_second_secret(make_panel: MakePanel, fault: str) -> None:
    panel = make_panel(CHATWOOT_CONTACT_VIEW_SECRET=f"{SECRET},{NEW}")
    seal = seal_of(panel.open().text)
    panel.office.fault(fault, 42)
    panel.office.forget()
    panel.refresh("orders", seal)
    assert panel.office.calls
    assert {call.headers["authorization"] for call in panel.office.calls} == {f"Bearer {SECRET}"}


# -- the rule itself -----------------------------------------------------------------------------


class Door:
    """A server that accepts one of the secrets, and keeps the secrets that were sent."""

    def __init__(self, accepted: str, refusal: Callable[[], Exception] = Unauthorized) -> None:
        self.accepted = accepted
        self.refusal = refusal
        self.brought: list[str] = []

    def ask(self, headers: dict[str, str]) -> Answer:
        self.brought.append(headers["Authorization"].removeprefix("Bearer "))
        if self.brought[-1] != self.accepted:
            raise self.refusal()
        return Answer(200, {})


@pytest.mark.parametrize(
    ("base", "tries"),
    [(OFFICE, 2), ("http://127.0.0.1:8080/", 2), ("http://office.example.com/", 1)],
)
def test_a_second_secret_goes_over_https_or_stays_on_this_machine(base: str, tries: int) -> None:
    door = Door("none")
    with pytest.raises(Unauthorized):
        SecretRotation([NEW, SECRET], base).send(door.ask)
    assert len(door.brought) == tries


def test_a_dropped_header_is_no_refusal_of_the_secret() -> None:
    for refusal in (lambda: Unauthorized("header_dropped"), lambda: Blocked("blocked")):
        door = Door("none", refusal)
        with pytest.raises((Unauthorized, Blocked)):
            SecretRotation([NEW, SECRET], OFFICE).send(door.ask)
        assert door.brought == [NEW]


def test_the_one_that_worked_is_sent_for_a_minute_and_of_three_the_next_is_tried() -> None:
    clock = Clock()
    rotation = SecretRotation(["a", "b", "c"], OFFICE, clock)
    door = Door("b")
    for _ in range(2):
        rotation.send(door.ask)
    assert door.brought == ["a", "b", "b"]
    clock.advance(REMEMBERED_MINUTE + 1)
    rotation.send(door.ask)
    assert door.brought[3:] == ["a", "b"]
    door.accepted = "a"
    with pytest.raises(Unauthorized):
        rotation.send(door.ask)  # `b` is remembered, and `c` is tried next
    clock.advance(REMEMBERED_MINUTE + 1)
    rotation.send(door.ask)
    assert door.brought[-1] == "a"


def test_an_organization_that_is_missing_was_answered_to_a_good_secret() -> None:
    rotation, secrets = SecretRotation([NEW, SECRET], OFFICE), []

    def ask(headers: dict[str, str]) -> Answer:
        secrets.append(headers["Authorization"])
        raise Missing("unknown_organization") if SECRET in secrets[-1] else Unauthorized()

    for _ in range(2):
        with pytest.raises(Missing):
            rotation.send(ask)
    assert secrets == [f"Bearer {NEW}", f"Bearer {SECRET}", f"Bearer {SECRET}"]
