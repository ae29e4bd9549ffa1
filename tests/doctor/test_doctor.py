"""`doctor`: a line where all is well, a cause and a fix for each fault, and never a traceback."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.broken.site import Answer, Site
from tests.conftest import wait_until
from tests.doctor.well import PATIENCE, ask, serving


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A panel in which all is well."""
    with serving(tmp_path_factory.mktemp("well")) as running_site:
        for channel in running_site.chat.channels.values():
            channel["hmac_mandatory"] = True
        # SQLite's own two files take the mode of the database file.
        for file in running_site.folder.glob("panel.db*"):
            file.chmod(0o600)
        running_site.use_well()
        yield running_site


def test_all_well_is_one_line(well: Site) -> None:
    answers: list[Answer] = []

    def is_well() -> bool:
        well.use_well()
        answers.append(ask(well))
        return answers[-1].code == 0

    try:
        wait_until(is_well, PATIENCE)
    except AssertionError:
        raise AssertionError(answers[-1].output) from None
    (line,) = answers[-1].output.splitlines()
    assert line.startswith("Everything is well: ")


def test_programs_get_each_check_with_cause_and_fix(well: Site) -> None:
    well.office.secrets, before = ["another"], well.office.secrets
    report = json.loads(ask(well, "--json").output)
    well.office.secrets = before
    assert report["worst"] == "fault"
    (row,) = [check for check in report["checks"] if check["name"] == "secret"]
    assert row["state"] == "fault"
    assert "unauthorized" in row["cause"]
    assert "CHATWOOT_CONTACT_VIEW_SECRET" in row["fix"]


def test_it_says_which_secret_of_the_list_is_accepted(well: Site, tmp_path: Path) -> None:
    secret = well.environ["CHATWOOT_CONTACT_VIEW_SECRET"]
    secret_list = f"a-new-secret-of-24-characters,{secret}"
    rotated = well.beside(tmp_path, CHATWOOT_CONTACT_VIEW_SECRET=secret_list)
    assert "accepts number 2 of the list" in ask(rotated).output


def test_a_database_that_is_not_there_is_told_and_not_made(well: Site, tmp_path: Path) -> None:
    """A command that made a database would leave a phantom beside the real one."""
    nowhere = tmp_path / "elsewhere.db"
    broken_site = well.beside(tmp_path, PANEL_DATABASE_URL=f"sqlite:///{nowhere}")
    assert "There is no database yet" in ask(broken_site).output
    assert not nowhere.exists()


def test_a_database_with_which_nobody_works_is_told(well: Site, tmp_path: Path) -> None:
    assert "nobody has worked with the database" in ask(well.beside(tmp_path)).output


WRONG = {
    "quotes": ({"CHATWOOT_API_TOKEN": '"demo"'}, "CHATWOOT_API_TOKEN has quotes around it"),
    "a path": ({"CHATWOOT_URL": "{chat}/app"}, "CHATWOOT_URL has a path (/app)"),
    "http": ({"PANEL_URL": "http://panel.invalid"}, "PANEL_URL is http"),
    "name": ({"PANEL_URL": "https://panel.invalid"}, "PANEL_URL: its name is not known (DNS)"),
    "port": ({"CHATWOOT_URL": "http://127.0.0.1:1"}, "nobody listens there (connection refused)"),
    "tls": ({"MIDDAG_API_URL": "https{office}"}, "that port speaks http, not https"),
    "no address": ({"PANEL_URL": ""}, "PANEL_URL is empty"),
    "verification": ({"PANEL_VERIFY_BY": "key,tax_id"}, "PANEL_VERIFY_BY takes tax_id for a proof"),
    "frame": ({"CHATWOOT_FRAME_ORIGINS": "https://x.example"}, "CHATWOOT_FRAME_ORIGINS does not"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(well: Site, tmp_path: Path, name: str) -> None:
    changes, words = WRONG[name]
    office = well.environ["MIDDAG_API_URL"].removeprefix("http")
    chat = well.environ["CHATWOOT_URL"]
    filled = {key: value.format(chat=chat, office=office) for key, value in changes.items()}
    wrong = replace(well.beside(tmp_path, **filled), folder=tmp_path)
    wait_until(lambda: words in ask(wrong).output, PATIENCE)


def test_it_tries_a_conversation(well: Site) -> None:
    assert "conversation 99999" in ask(well, "--sample 99999").output


def test_settings_that_are_wrong_end_it_with_2(well: Site, tmp_path: Path) -> None:
    broken = well.beside(tmp_path, CHATWOOT_ACCOUNT_ID="one").run("doctor", apart=True)
    assert broken.code == 2
    assert "CHATWOOT_ACCOUNT_ID should be" in broken.output
    assert "Traceback" not in broken.output
