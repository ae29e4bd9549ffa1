"""The table of health checks, as monitoring reads it from `/readyz`."""

import pytest

from panel import checks
from panel.checks import CHECKS, Check
from tests.conftest import MakePanel, Panel


def test_every_cheap_check_is_a_part_of_readyz(panel: Panel) -> None:
    body = panel.ask("GET", "/readyz").json()
    assert body["status"] == "ready"
    assert body["parts"] == {check.name: "ok" for check in CHECKS if check.cheap}


def test_a_database_that_is_away_makes_the_panel_degraded(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_DATABASE_URL="postgresql://panel@127.0.0.1:1/panel")
    body = panel.ask("GET", "/readyz").json()
    assert body["status"] == "degraded"
    assert body["parts"]["database"] == "away"


def test_a_new_check_is_a_row_and_one_that_is_not_cheap_waits_for_its_command(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (Check("disk", lambda _: "full"), Check("slow", lambda _: "ok", cheap=False))
    monkeypatch.setattr(checks, "CHECKS", (*CHECKS, *rows))
    body = panel.ask("GET", "/readyz").json()
    assert (body["status"], body["parts"]["disk"]) == ("degraded", "full")
    assert "slow" not in body["parts"]
