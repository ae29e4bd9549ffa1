"""Two installations on one account: the one that writes has left its mark, which the other one
reads."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from panel.data.installation import Installation
from panel.demo.worlds import AGENT_TOKEN
from panel.services import get
from panel.sync.jobs import Jobs
from tests.cli.setups import PANEL_URL, account_of_others, setup, told
from tests.conftest import MakePanel, Panel, Worlds, panels_before

STAGING_URL = "https://staging.example.com"
OTHER_SECRET = "the-secret-of-the-staging-of-24-characters"
TAKE_OVER = "setup --take-over"


@pytest.fixture
def panel(make: MakePanel) -> Panel:
    return make(PANEL_URL=PANEL_URL)


@pytest.fixture
def staging(account_worlds: Worlds, make: MakePanel, tmp_path: Path) -> Iterator[Panel]:
    """Another installation before the same account, with its own database, address and secret."""
    folder = tmp_path / "staging"
    folder.mkdir()
    with ExitStack() as stack:
        at_staging = stack.enter_context(panels_before(account_worlds, folder))
        yield at_staging(PANEL_URL=STAGING_URL, CHATWOOT_CONTACT_VIEW_SECRET=OTHER_SECRET)


def mark(panel: Panel) -> str:
    rows = panel.chat.definitions.values()
    keys = ("middag_organization_id", "contact_attribute")
    (row,) = [r for r in rows if (r["attribute_key"], r["attribute_model"]) == keys]
    return str(row["attribute_description"])


def own_id(panel: Panel) -> str:
    return Installation(panel.services.database).read().id


def may_write(panel: Panel) -> bool:
    return get(Jobs, panel.app).work.may_write()


def mark_problems(panel: Panel, *options: str) -> list[str]:
    return [line for line in told(panel, *options)["problems"] if "installation" in line]


def test_setup_marks_the_account_in_words(panel: Panel) -> None:
    setup(panel)
    words = f"Kept by the MIDDAG panel at {PANEL_URL} (installation {own_id(panel)})."
    assert mark(panel) == words
    assert told(panel)["steps"] == []
    assert may_write(panel)


def test_an_account_that_nobody_has_marked_may_be_written(panel: Panel, staging: Panel) -> None:
    assert may_write(panel)
    assert may_write(staging)


def test_a_second_installation_is_noticed_and_changes_nothing_of_the_first(
    panel: Panel, staging: Panel
) -> None:
    setup(panel)
    before = mark(panel)
    assert may_write(staging) is False
    (problem,) = mark_problems(staging)
    assert PANEL_URL in problem
    assert TAKE_OVER in problem
    assert setup(staging).exit_code == 1
    assert mark(panel) == before
    assert may_write(panel) is True


def test_the_second_one_that_is_removed_leaves_the_definitions(
    panel: Panel, staging: Panel
) -> None:
    setup(panel)
    setup(staging)
    setup(staging, "--remove")
    assert mark(panel)


def test_taking_over_settles_it(panel: Panel, staging: Panel) -> None:
    setup(panel)
    report = told(staging, "--take-over")
    assert f"mark this account as written by the panel at {STAGING_URL}" in report["steps"]
    assert (may_write(staging), may_write(panel)) == (True, False)
    assert mark_problems(staging) == []
    (problem,) = mark_problems(panel)
    assert STAGING_URL in problem
    told(panel, "--take-over")
    assert (may_write(staging), may_write(panel)) == (False, True)


def test_another_database_at_the_same_address_is_another_installation(
    make: MakePanel, panel: Panel, account_worlds: Worlds, tmp_path: Path
) -> None:
    """Our tables may be lost, or somebody copied the whole environment."""
    setup(panel)
    folder = tmp_path / "anew"
    folder.mkdir()
    with panels_before(account_worlds, folder) as make_anew:
        anew = make_anew(PANEL_URL=PANEL_URL)
        assert may_write(anew) is False
        assert len(mark_problems(anew)) == 1
        told(anew, "--take-over")
        assert may_write(anew) is True
    assert may_write(panel) is False


def test_a_copied_database_at_another_address_is_another_installation(
    make: MakePanel, panel: Panel
) -> None:
    setup(panel)
    copied = make(PANEL_URL=STAGING_URL, CHATWOOT_CONTACT_VIEW_SECRET=OTHER_SECRET)
    assert own_id(copied) == own_id(panel)
    assert may_write(copied) is False
    assert len(mark_problems(copied)) == 1


def test_a_panel_that_moved_takes_its_mark_along(make: MakePanel, panel: Panel) -> None:
    """The tab tells that the panel with the same secret and database has moved."""
    setup(panel)
    moved = make(PANEL_URL=STAGING_URL)
    assert may_write(moved) is False
    assert mark_problems(moved) == []
    assert may_write(moved) is True


def test_an_account_where_another_panel_is_registered_is_not_claimed_by_the_way(
    panel: Panel, staging: Panel
) -> None:
    """A version without marks may have set up the other panel."""
    setup(panel)
    for row in panel.chat.definitions.values():
        row["attribute_description"] = None
    assert TAKE_OVER in "".join(told(staging)["problems"])
    assert mark(panel) == "None"
    told(staging, "--take-over")
    assert own_id(staging) in mark(panel)


def test_what_an_administrator_wrote_beside_the_mark_stays(panel: Panel, staging: Panel) -> None:
    setup(panel)
    (row,) = [r for r in panel.chat.definitions.values() if r.get("attribute_description")]
    row["attribute_description"] = f"Do not touch! {row['attribute_description']} Ana"
    assert told(panel)["steps"] == []
    told(staging, "--take-over")
    text = mark(panel)
    assert text.startswith("Do not touch! Kept by the MIDDAG panel at https://staging")
    assert text.endswith(" Ana")


def test_an_agents_token_reads_the_mark_and_sees_how_to_set_it_by_hand(
    make: MakePanel, panel: Panel
) -> None:
    agent = make(PANEL_URL=PANEL_URL, CHATWOOT_API_TOKEN=AGENT_TOKEN)
    by_hand = " ".join(told(agent)["by_hand"])
    assert f'description "Kept by the MIDDAG panel at {PANEL_URL}' in by_hand
    setup(panel)
    assert may_write(agent) is True
    other = make(PANEL_URL=STAGING_URL, CHATWOOT_API_TOKEN=AGENT_TOKEN)
    assert may_write(other) is False


def test_a_chatwoot_that_is_away_leaves_what_was_found_last(panel: Panel, staging: Panel) -> None:
    setup(panel)
    assert (may_write(panel), may_write(staging)) == (True, False)
    panel.chat.down = True
    assert (may_write(panel), may_write(staging)) == (True, False)
    panel.chat.down = False


def test_without_a_database_the_account_is_marked_by_its_address(
    account_worlds: Worlds, tmp_path: Path
) -> None:
    with account_of_others(account_worlds, tmp_path) as make:
        bare = make(PANEL_URL=PANEL_URL, PANEL_DATABASE_URL=f"sqlite:///{tmp_path}/none/panel.db")
        for file in (tmp_path / "none").glob("panel.db*"):
            file.unlink()
        setup(bare)
        assert mark(bare) == f"Kept by the MIDDAG panel at {PANEL_URL} (installation )."
        assert told(bare)["steps"] == []
        started = make(PANEL_URL=PANEL_URL)
        assert may_write(started) is True
        assert len(told(started)["steps"]) == 1
        assert own_id(started) in mark(bare)
