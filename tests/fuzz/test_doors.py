"""No value sent to a route leads to a 500, and no forgery opens a panel."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.amount import DOOR_CASES, SEED
from tests.fuzz.doors import DOORS, Door, Panels, open_panels, try_door


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panels]:
    with open_panels(tmp_path_factory.mktemp("doors")) as clients:
        yield clients


@pytest.mark.parametrize("name", DOORS)
def test_nothing_makes_a_door_stumble_or_opens_it_wrongly(name: str, panels: Panels) -> None:
    print(f"seed {SEED}, {DOOR_CASES} values")  # noqa: T201
    attack(DOORS[name], panels)


def attack(door: Door, panels: Panels) -> None:
    @seed(SEED)
    @settings(max_examples=DOOR_CASES, suppress_health_check=list(HealthCheck))
    @given(door.values)
    def knock(value: Any) -> None:
        try_door(door, panels, value)

    knock()


def test_what_is_genuine_opens(panels: Panels) -> None:
    """Otherwise the forgeries might be refused for another reason."""
    seal = {"Authorization": f"Bearer {panels.seal}"}
    assert panels.ask("shared-secret", "GET", "/sections/orders", headers=seal).status_code == 200
