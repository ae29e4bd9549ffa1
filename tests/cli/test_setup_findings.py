"""The findings of `setup`: refusals, obstacles of webhooks, and the gaps of an old Chatwoot."""

from pathlib import Path

import pytest
import requests

from panel.cli.setup_plan import SIGNING_VERSION
from panel.cli.survey import parse_version
from panel.demo.chatwoot import Failure
from panel.upstream.chatwoot_rejections import REMEDIES
from tests.cli.setups import HOOK_URL, PANEL_URL, VERSION, setup, told, webhook
from tests.conftest import MakePanel, Panel
from tests.sync.webhook_door import RAW, signature
from tests.web.test_chatwoot_refusals import BREAKAGES, UNKNOWN_ACCOUNT

OPTIONS: tuple[list[str], ...] = ([], ["--dry-run"], ["--remove"])
ALL_WELL = "Nothing to do: everything stands as it should."


@pytest.fixture
def panel(make: MakePanel) -> Panel:
    return make(PANEL_URL=PANEL_URL)


# -- refusals ------------------------------------------------------------------------

ACCOUNT_WIDE = [code for code in BREAKAGES if code != "not_permitted"]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("code", ACCOUNT_WIDE)
def test_it_says_which_refusal_it_is_although_the_panel_was_just_let_in(
    panel: Panel, code: str, options: list[str]
) -> None:
    """Setup does not read the answers that an opening panel has put into the cache."""
    assert panel.open().status_code == 200
    BREAKAGES[code](panel.chat)
    answer = setup(panel, *options)
    assert (answer.exit_code, panel.chat.writes) == (2, [])
    assert REMEDIES[code] in answer.stderr
    assert answer.stdout == ""


def test_an_account_that_does_not_exist_is_no_wrong_token(make: MakePanel) -> None:
    answer = setup(make(PANEL_URL=PANEL_URL, CHATWOOT_ACCOUNT_ID=str(UNKNOWN_ACCOUNT)))
    assert answer.exit_code == 2
    assert REMEDIES["no_account"] in answer.stderr
    assert "does not accept" not in answer.stderr


@pytest.mark.parametrize(("status", "code"), [(404, "no_api"), (200, "no_api"), (403, "blocked")])
def test_whoever_answers_in_the_place_of_chatwoot_is_named(
    panel: Panel, status: int, code: str
) -> None:
    panel.chat.failures = lambda _call: Failure(status)
    answer = setup(panel, "--dry-run")
    assert answer.exit_code == 2
    assert REMEDIES[code] in answer.stderr


def test_an_agents_token_is_told_apart_by_what_it_may_not(make: MakePanel) -> None:
    by_agent = make(PANEL_URL=PANEL_URL, CHATWOOT_API_TOKEN="demo-agent-token")
    answer = setup(by_agent)
    assert answer.exit_code == 2
    assert answer.stdout.count(REMEDIES["not_permitted"]) == 1
    assert 'Chatwoot says: "You are not authorized to do this action"' in answer.stdout


# -- webhooks --------------------------------------------------------------------------------------


def send(panel: Panel, secret: str | None, times: int = 1) -> None:
    headers = signature(RAW, secret=secret) if secret else {}
    for _ in range(times):
        requests.post(f"{panel.url}/sync/chatwoot", data=RAW, headers=headers, timeout=30)


@pytest.fixture
def secret(panel: Panel) -> str:
    """Run setup, and return the secret that Chatwoot has made."""
    setup(panel)
    return str(webhook(panel.chat)["secret"])


def with_secret(make: MakePanel, value: str) -> Panel:
    return make(PANEL_URL=PANEL_URL, CHATWOOT_WEBHOOK_SECRET=value)


def test_all_is_well_only_when_a_webhook_was_accepted(make: MakePanel, secret: str) -> None:
    panel = with_secret(make, secret)
    for options, code in (([], 0), (["--dry-run"], 1)):  # setup itself has no work left
        answer = setup(panel, *options)
        assert answer.exit_code == code
        assert "as it should." not in answer.stdout
        assert "No webhook has ever been accepted." in answer.stdout
        assert "SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true" in answer.stdout
    send(panel, secret)
    for options in ([], ["--dry-run"]):
        answer = setup(panel, *options)
        assert (answer.exit_code, answer.stdout.splitlines()[0]) == (0, ALL_WELL)


@pytest.mark.parametrize(
    ("configured", "words", "code"),
    [
        ("", "CHATWOOT_WEBHOOK_SECRET is empty, so every webhook is refused", 0),
        ("another", "CHATWOOT_WEBHOOK_SECRET is not the secret of the webhook", 1),
    ],
)
def test_a_secret_that_differs_from_chatwoots_is_said_without_printing_it(
    make: MakePanel, secret: str, configured: str, words: str, code: int
) -> None:
    panel = with_secret(make, configured)
    assert setup(panel, "--dry-run").exit_code == 1
    answer = setup(panel)
    assert answer.exit_code == code
    assert words in answer.stdout
    assert "setup --show-secret` prints the line to set" in answer.stdout
    assert secret not in answer.output
    assert ALL_WELL not in answer.stdout


@pytest.mark.parametrize(
    ("used_secret", "words"),
    [("another", "refused: wrong signature, 14 in"), (None, "refused: unsigned, 14 in")],
)
def test_webhooks_that_are_refused_are_said_though_one_was_accepted_before(
    make: MakePanel, secret: str, used_secret: str | None, words: str
) -> None:
    panel = with_secret(make, secret)
    send(panel, secret)
    send(panel, used_secret, 14)
    answer = setup(panel)
    assert answer.exit_code == 1
    assert f"Webhooks are {words} the last hour; last accepted just now" in answer.stdout
    assert ALL_WELL not in answer.stdout


def test_a_webhook_without_a_secret_is_to_be_made_anew(make: MakePanel, secret: str) -> None:
    """A Chatwoot that did not sign yet made this webhook."""
    panel = with_secret(make, secret)
    send(panel, secret)
    webhook(panel.chat)["secret"] = None
    answer = setup(panel)
    assert answer.exit_code == 1
    assert "The webhook has no secret, so Chatwoot does not sign it" in answer.stdout


def test_without_a_database_it_says_that_arrivals_are_not_known(
    panel: Panel, tmp_path: Path
) -> None:
    setup(panel)
    panel.services.database.dispose()
    (tmp_path / "panel.db").unlink()
    answer = setup(panel)
    assert answer.exit_code == 0
    assert "Whether webhooks arrive cannot be told: there is no database" in answer.stdout
    assert not (tmp_path / "panel.db").exists()


# -- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["4.3.0", "4.11.1", "3.19"])
def test_a_chatwoot_that_signs_nothing_gets_no_webhook_and_no_success(
    panel: Panel, version: str
) -> None:
    panel.chat.version = version
    for _ in range(2):
        answer = setup(panel)
        assert answer.exit_code == 1
        assert f"Chatwoot {told(panel)['version']} does not sign its webhooks" in answer.stdout
        assert ALL_WELL not in answer.stdout
        assert "SECRET" not in answer.stdout
    assert all(row["url"] != HOOK_URL for row in panel.chat.webhooks.values())


@pytest.mark.parametrize("version", ["4.11.2", "4.14.0", "4.16.2", "5.0.0"])
def test_a_chatwoot_that_signs_gets_its_webhook(panel: Panel, version: str) -> None:
    panel.chat.version = version
    answer = setup(panel)
    assert answer.exit_code == 0
    assert f"CHATWOOT_WEBHOOK_SECRET={webhook(panel.chat)['secret']}" in answer.stdout


@pytest.mark.parametrize(
    ("text", "version"),
    [
        *(("4.16.2", (4, 16, 2)), ("4.3", (4, 3, 0)), ("v4.14.0", (4, 14, 0))),
        *(("4.11.1-ce", (4, 11, 1)), ("4.15.1.4-fork", (4, 15, 1))),
        *(("", ()), ("main", ()), ("4", ()), ("-1.2.3", ())),
    ],
)
def test_a_version_is_read_as_forks_write_it_too(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(("version", "lacks"), [("4.15.1", 1), ("4.16.0", 0), (VERSION, 0)])
def test_what_identity_validation_does_not_validate_yet_is_said(
    panel: Panel, version: str, lacks: int
) -> None:
    panel.chat.version = version
    assert setup(panel).stdout.count("does not validate later changes") == lacks


def test_private_addresses_are_no_cause_before_they_were_refused(
    make: MakePanel, secret: str
) -> None:
    panel = with_secret(make, secret)
    panel.chat.version = "4.13.0"
    assert "PRIVATE_NETWORK" not in setup(panel).stdout


@pytest.mark.parametrize("status", [200, 404, 403, 500])
def test_a_chatwoot_that_does_not_say_its_version_is_set_up_all_the_same(
    panel: Panel, status: int
) -> None:
    panel.chat.failures = lambda call: Failure(status) if call.path == "/api" else None
    answer = setup(panel)
    assert answer.exit_code == 0
    assert "Chatwoot does not say its version" in answer.stdout
    assert webhook(panel.chat)


def test_the_readme_names_the_versions() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    for version in (".".join(map(str, SIGNING_VERSION)), VERSION, "4.3.0"):
        assert version in readme
