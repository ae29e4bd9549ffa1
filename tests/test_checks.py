"""The table of health checks, as monitoring reads it from `/readyz`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from panel import checks
from panel.checks import CHECKS, Check
from panel.demo.chatwoot import Failure, never
from panel.demo.worlds import SECRET
from panel.health.finding import Finding
from panel.services import Services, get
from panel.sync.intake import Intake
from panel.upstream.chatwoot_rejections import REMEDIES
from tests.conftest import MakePanel, Panel, seal_of
from tests.executing import executing
from tests.sync.executor import hook
from tests.web.test_chatwoot_refusals import BREAKAGES, UNKNOWN_ACCOUNT

UNUSED = ("chatwoot_webhooks", "plugin_hooks", "agents")  # no delivery has come yet


@pytest.fixture
def panel(make_panel: MakePanel) -> Iterator[Panel]:
    """A panel whose passes are executed."""
    new_panel = make_panel()
    with executing(new_panel.services.database):
        yield new_panel


def read_part(panel: Panel, name: str) -> tuple[str, str, str]:
    """Return the status, the part's word and its details."""
    body = panel.ask("GET", "/readyz").json()
    return body["status"], body["parts"][name], body["details"].get(name, "")


def test_every_cheap_check_is_a_part_of_readyz(panel: Panel) -> None:
    body = panel.ask("GET", "/readyz").json()
    assert body["status"] == "ready"
    words = {check.name: "unused" if check.name in UNUSED else "ok" for check in CHECKS}
    assert body["parts"] == words
    assert body["details"] == {
        "worker": "here:1 executes passes; it began just now, and no try has ended yet",
        "chatwoot_webhooks": "no secret set; none has ever come",
        "plugin_hooks": "none has ever come",
        "agents": "none has ever come",
    }


def test_a_database_that_is_away_makes_the_panel_degraded(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_DATABASE_URL="postgresql://panel@127.0.0.1:1/panel")
    body = panel.ask("GET", "/readyz").json()
    assert body["status"] == "degraded"
    assert body["parts"]["database"] == "away"
    words = {check.name: body["parts"][check.name] for check in CHECKS if check.needs_database}
    assert words == dict.fromkeys(words, "unknown")


def test_a_database_that_is_away_is_waited_for_once(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each query to a machine that has vanished costs seconds."""
    texts: list[str] = []

    def ask(_shared: Services) -> Finding:
        texts.append("again")
        return Finding("ok")

    away = Check("database", lambda _: Finding("away"))
    monkeypatch.setattr(checks, "CHECKS", (away, Check("hooks", ask, needs_database=True)))
    assert read_part(panel, "hooks") == ("degraded", "unknown", "the database is away")
    assert texts == []


def test_a_new_check_is_a_row_and_one_that_is_not_cheap_waits_for_its_command(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        Check("disk", lambda _: Finding("full")),
        Check("slow", lambda _: Finding("ok"), cheap=False),
    )
    monkeypatch.setattr(checks, "CHECKS", (*CHECKS, *rows))
    body = panel.ask("GET", "/readyz").json()
    assert (body["status"], body["parts"]["disk"]) == ("degraded", "full")
    assert "slow" not in body["parts"]


# -- Chatwoot and the back office, by the calls of this process ----------------------------


@pytest.mark.parametrize("code", BREAKAGES)
def test_a_refusal_of_chatwoot_is_named_with_what_to_do(panel: Panel, code: str) -> None:
    BREAKAGES[code](panel.chat)
    panel.open()
    status, word, detail = read_part(panel, "chatwoot")
    assert (status, word) == ("degraded", code)
    assert detail.startswith(f"{code}: conversations, first just now, last just now. ")
    assert detail.endswith(REMEDIES[code].rstrip("."))


def test_an_account_that_does_not_exist_is_named(make_panel: MakePanel) -> None:
    panel = make_panel(CHATWOOT_ACCOUNT_ID=str(UNKNOWN_ACCOUNT))
    panel.open(account=UNKNOWN_ACCOUNT)
    assert read_part(panel, "chatwoot")[1] == "no_account"


@pytest.mark.parametrize(("status", "code"), [(404, "no_api"), (403, "blocked"), (503, "http_503")])
def test_whoever_answers_in_the_place_of_chatwoot_is_named(
    panel: Panel, status: int, code: str
) -> None:
    panel.chat.failures = lambda _call: Failure(status)
    panel.open()
    assert read_part(panel, "chatwoot")[:2] == ("degraded", code)


def test_a_refusal_is_over_when_chatwoot_answers_again(panel: Panel) -> None:
    panel.chat.failures = lambda _call: Failure(403)
    panel.open()
    assert read_part(panel, "chatwoot")[1] == "blocked"
    panel.chat.failures = never
    panel.open()
    assert read_part(panel, "chatwoot") == ("ready", "ok", "")


def test_a_conversation_that_is_gone_is_no_trouble(panel: Panel) -> None:
    del panel.chat.conversations[101]
    panel.open()
    assert read_part(panel, "chatwoot")[1] == "ok"


def test_what_the_back_office_refuses_is_named_until_it_answers_again(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    panel.office.fault("500", 42)
    panel.section("orders", seal)
    status, word, detail = read_part(panel, "back_office")
    assert (status, word) == ("degraded", "http_500")
    assert detail.startswith("http_500: orders, first just now")
    panel.office.heal()
    panel.refresh("orders", seal)
    assert read_part(panel, "back_office") == ("ready", "ok", "")


# -- the plugin's hooks ----------------------------------------------------------------------------


def ring(panel: Panel, bearer: str) -> int:
    hook = {"event": "order.paid", "timestamp": "2026-11-30T12:00:00Z", "id": "r1"}
    body = {**hook, "data": {"organization_id": 42}}
    return panel.ask("POST", "/sync/hooks", bearer, json=body).status_code


def test_when_the_plugins_last_hook_came_is_told(panel: Panel) -> None:
    assert ring(panel, SECRET) == 202
    assert read_part(panel, "plugin_hooks") == ("ready", "ok", "ok, last accepted just now")


def test_a_plugin_with_another_secret_is_seen(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    assert {ring(panel, "another") for _ in range(3)} == {401}
    status, word, detail = read_part(panel, "plugin_hooks")
    assert (status, word) == ("degraded", "refused")
    assert detail.startswith("refused: wrong proof, 3 in the last hour; none was ever accepted. ")
    assert "CHATWOOT_CONTACT_VIEW_SECRET" in detail
    [line] = [record.getMessage() for record in caplog.records if "a hook" in record.getMessage()]
    assert line.startswith("a hook of the plugin from 127.0.0.1 was refused: wrong proof")


# -- the database, and the work that waits in it
# -----------------------------------------------------------


def test_a_database_that_can_only_be_read_is_not_well(panel: Panel) -> None:
    """Another program that hangs while it writes may hold the lock."""
    with closing(sqlite3.connect(find_file(panel), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        status, word, detail = read_part(panel, "database")
    assert (status, word) == ("degraded", "not_writable")
    assert "cannot be used: database is locked; another program holds it." in detail
    assert read_part(panel, "database") == ("ready", "ok", "")


def test_looking_whether_it_can_be_written_leaves_nothing_behind(panel: Panel) -> None:
    read_part(panel, "database")
    with closing(sqlite3.connect(find_file(panel))) as other:
        assert other.execute("SELECT count(*) FROM deliveries").fetchall() == [(0,)]


def test_a_database_of_another_schema_is_named(panel: Panel) -> None:
    assert read_part(panel, "schema") == ("ready", "ok", "")
    with closing(sqlite3.connect(find_file(panel))) as other:
        other.execute("UPDATE compatibility SET oldest_code = 999")
        other.commit()
    status, word, detail = read_part(panel, "schema")
    assert (status, word) == ("degraded", "wrong")
    assert detail.startswith("The database is too new for this program")


def test_a_database_whose_file_was_removed_is_named(panel: Panel) -> None:
    read_part(panel, "schema")
    find_file(panel).unlink()
    assert read_part(panel, "schema")[:2] == ("degraded", "wrong")


def test_a_hook_that_waits_for_hours_is_told(panel: Panel) -> None:
    assert ring(panel, SECRET) == 202
    assert read_part(panel, "waiting_hooks") == ("ready", "ok", "1 wait, the oldest came just now")
    with closing(sqlite3.connect(find_file(panel))) as other:
        other.execute("UPDATE hooks SET received_at = received_at - 7300")
        other.commit()
    state = ("degraded", "late", "1 wait, the oldest came 2 hours ago")
    assert read_part(panel, "waiting_hooks") == state


def test_a_pass_that_is_tried_again_is_told_with_side_and_reason(panel: Panel) -> None:
    """The check finds it, whichever process made the calls."""
    with closing(sqlite3.connect(find_file(panel))) as other:
        columns = "organization, tries, first, reason, side, tried_at"
        values = "?, 1, 0, 'http_500', 'MIDDAG Account', strftime('%s') - 130"
        for organization in (42, 45):
            statement = f"INSERT INTO passes ({columns}) VALUES ({values})"
            other.execute(statement, [organization])
        other.commit()
    text = "tried again: 2 because of MIDDAG Account: http_500; last tried 2 minutes ago."
    status, word, detail = read_part(panel, "retries")
    assert (status, word) == ("degraded", "retrying")
    assert detail.startswith(text)


def test_hooks_that_were_given_up_are_told(panel: Panel) -> None:
    get(Intake, panel.app).accept(hook("lost", None))
    assert read_part(panel, "buried") == ("degraded", "given_up", "1: `sync buried` says why")


def test_a_worker_that_is_missing_is_told(make_panel: MakePanel) -> None:
    status, word, detail = read_part(make_panel(), "worker")
    assert (status, word) == ("degraded", "missing")
    assert detail.startswith("none runs, and none did in the last day. Start one: ")


def find_file(panel: Panel) -> Path:
    return Path(panel.settings.database_url.removeprefix("sqlite:///"))
