"""A setting that was wrong at the start is named once an agent looks."""

from collections.abc import Iterator

import pytest

from tests.broken.breaks import AT_START
from tests.broken.expectations import PATIENCE, await_diagnosis
from tests.broken.site import Site, site
from tests.broken.starts import WrongSetting
from tests.conftest import wait_until


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """Panels with each wrong setting, before the same worlds, by the name of the row."""
    with site(tmp_path_factory.mktemp("worlds")) as worlds:
        sites = {
            row.name: worlds.beside(tmp_path_factory.mktemp("start"), **row.fill(worlds))
            for row in AT_START
        }
        for entry in sites.values():
            entry.start_web()
        yield sites


@pytest.mark.parametrize("row", AT_START, ids=lambda row: row.name)
def test_a_wrong_setting_is_seen_once_an_agent_looks(
    started: dict[str, Site], row: WrongSetting
) -> None:
    wrong = started[row.name]
    wrong.await_web()
    if "data-seal" in wrong.open().text:
        wrong.refresh()
    health = wrong.health()
    assert health.wrong[row.part] == row.word
    assert row.word in health.explain(row.part)
    wait_until(lambda: any(row.log in line for line in wrong.lines), PATIENCE)
    await_diagnosis(wrong, {"chatwoot": "token", "back_office": "secret"}[row.part], row.word)
