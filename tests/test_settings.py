"""The settings: all faults at once, each with the right form, and never a value."""

import os
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from panel.environment.variables import VARIABLES
from panel.settings import SettingsError, from_env

ROOT = Path(__file__).resolve().parent.parent
RIGHT = {
    "CHATWOOT_CONTACT_VIEW_SECRET": "a-secret-of-24-characters",
    "MIDDAG_API_URL": "https://account.example.com/wp-json/middag-account/v1",
    "CHATWOOT_URL": "https://chat.example.com",
    "CHATWOOT_ACCOUNT_ID": "1",
    "CHATWOOT_API_TOKEN": "token",
}


def faults(**changes: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        from_env(RIGHT | changes)
    return error.value.faults


def test_the_required_ones_are_enough() -> None:
    settings = from_env(RIGHT)
    assert settings.frame_origins == ("https://chat.example.com",)
    assert settings.cache_url == "file:var/cache"
    assert settings.database_url == "sqlite:///var/panel.db"
    assert settings.timezone == ZoneInfo("America/Sao_Paulo")
    assert (settings.expiring_days, settings.session_hours, settings.keep_days) == (30, 12, 90)
    assert (settings.integer_money, settings.agent_proof) == ("", "shared-secret")
    assert settings.check_inbox is True


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        from_env({})
    assert [fault.split()[0] for fault in error.value.faults] == list(RIGHT)


def test_blank_counts_as_missing() -> None:
    assert [fault.split()[0] for fault in faults(CHATWOOT_API_TOKEN="  ")] == ["CHATWOOT_API_TOKEN"]


LATIN = "ãäëïöüãäëïöüãäëïöüãäëïöü"
FAULTY = [
    ("CHATWOOT_CONTACT_VIEW_SECRET", "short"),
    ("CHATWOOT_CONTACT_VIEW_SECRET", "a-secret-of-24-characters,short"),
    ("CHATWOOT_CONTACT_VIEW_SECRET", LATIN),
    ("CHATWOOT_CONTACT_VIEW_SECRET", "a-secret-of-24\ncharacters-in-two-lines"),
    ("CHATWOOT_CONTACT_VIEW_SECRET", "a-secret-of-24\x7fcharacters"),
    ("MIDDAG_API_URL", "account.example.com"),
    ("MIDDAG_API_URL", "ftp://account.example.com"),
    ("MIDDAG_API_URL", "https://"),
    ("MIDDAG_API_URL", "https://user:pass@account.example.com"),
    ("MIDDAG_API_URL", "https://:pass@account.example.com"),
    ("MIDDAG_API_URL", "https://account.example.com:99999"),
    ("MIDDAG_API_URL", "https://account.example.com:port"),
    ("MIDDAG_API_URL", "https://account.example.com/?a=1"),
    ("MIDDAG_API_URL", "https://account.example.com/#x"),
    ("MIDDAG_API_URL", "https://account.example.com/?rest_route=middag-account/v1"),
    ("MIDDAG_API_URL", "https://account.example.com/?rest_route=/a&rest_route=/b"),
    ("MIDDAG_API_URL", "https://account.example.com/?rest_route=/middag-account/v1#x"),
    ("MIDDAG_API_URL", "https://user@account.example.com/?rest_route=/middag-account/v1"),
    ("MIDDAG_API_URL", "https://account.example.com/?"),
    ("MIDDAG_API_URL", "https://account.example.com/#"),
    ("MIDDAG_API_URL", "https://[1"),
    ("MIDDAG_API_URL", "https://account example.com"),
    ("CHATWOOT_URL", "https://chat.example.com;script-src"),
    ("CHATWOOT_URL", "https://chat.example.com'"),
    ("CHATWOOT_URL", "https://чат.example"),
    ("CHATWOOT_ACCOUNT_ID", "0"),
    ("CHATWOOT_ACCOUNT_ID", "-1"),
    ("CHATWOOT_ACCOUNT_ID", "1.0"),
    ("CHATWOOT_ACCOUNT_ID", "one"),
    ("CHATWOOT_ACCOUNT_ID", "١"),
    ("CHATWOOT_ACCOUNT_ID", "9" * 5000),
    ("REQUESTS_CA_BUNDLE", "/nowhere/authorities.pem"),
    ("SSL_CERT_FILE", "/nowhere/authorities.pem"),
    ("MIDDAG_PROXY", "proxy.example.com:3128"),
    ("MIDDAG_PROXY", "https://proxy.example.com:3128"),
    ("CHATWOOT_PROXY", "http://proxy.example.com"),
    ("CHATWOOT_PROXY", "http://proxy.example.com:3128/path"),
    ("CHATWOOT_API_TOKEN", "two words"),
    ("CHATWOOT_API_TOKEN", "line\nbreak"),
    ("CHATWOOT_API_TOKEN", "tokén"),
    ("CHATWOOT_WEBHOOK_SECRET", "line\nbreak"),
    ("CHATWOOT_FRAME_ORIGINS", "*"),
    ("CHATWOOT_FRAME_ORIGINS", "https://*.example.com"),
    ("CHATWOOT_FRAME_ORIGINS", "https://chat.example.com/app"),
    ("CHATWOOT_FRAME_ORIGINS", "https://chat.example.com; script-src *"),
    ("CHATWOOT_FRAME_ORIGINS", "chat.example.com"),
    ("CHATWOOT_FRAME_ORIGINS", "https://чат.example"),
    ("PANEL_URL", "panel"),
    ("PANEL_URL", "https://panel.example.com/?"),
    ("PANEL_URL", "https://panel.example.com/a b"),
    ("PANEL_CACHE_URL", "file:"),
    ("PANEL_CACHE_URL", "redis://"),
    ("PANEL_CACHE_URL", "redis://cache:port/0"),
    ("PANEL_CACHE_URL", "redis://cache/١"),
    ("PANEL_CACHE_URL", "memcached://x"),
    ("PANEL_DATABASE_URL", "sqlite:///"),
    ("PANEL_DATABASE_URL", "sqlite://"),
    ("PANEL_DATABASE_URL", "mysql://x/y"),
    ("PANEL_DATABASE_URL", "postgresql://host"),
    ("PANEL_DATABASE_URL", "postgresql://user@host:port/name"),
    ("PANEL_WORKER", "outside"),
    ("PANEL_AGENT_PROOF", "none"),
    ("PANEL_EXPIRING_DAYS", "0"),
    ("PANEL_EXPIRING_DAYS", "many"),
    ("PANEL_TIMEZONE", "Mars/Olympus"),
    ("PANEL_TIMEZONE", "../../etc/passwd"),
    ("PANEL_TIMEZONE", "America"),
    ("PANEL_LOCALE", "fr"),
    ("MIDDAG_INTEGER_MONEY", "floats"),
    ("PANEL_MASK", "everything"),
    ("PANEL_VERIFY_BY", ","),
    ("PANEL_VERIFY_BY", "key,cnpj"),
    ("PANEL_TRUSTED_PROXIES", "-1"),
    ("PANEL_SESSION_HOURS", "0"),
    ("PANEL_KEEP_DAYS", "0"),
    ("PANEL_INBOXES", "1,two"),
    ("PANEL_INBOXES", "0"),
    ("PANEL_INBOXES", "9" * 5000),
    ("PANEL_CHECK_INBOX", "maybe"),
    ("CHATWOOT_CALLS_PER_MINUTE", "0"),
    ("MIDDAG_CALLS_PER_MINUTE", "0"),
    ("PANEL_METRICS_TOKEN", "two words"),
    ("MIDDAG_LINK_ORGANIZATION", "https://account.example.com/organizations"),
    ("MIDDAG_LINK_ORDER", "javascript:alert({id})"),
    ("MIDDAG_LINK_QUOTE", "https://{id}.example.com/{id}"),
    ("MIDDAG_LINK_LICENSE", "https://account.example.com/{id}/{x}"),
]


@pytest.mark.parametrize(("name", "value"), FAULTY, ids=lambda text: ascii(text)[1:-1][:40])
def test_a_faulty_value_is_named_with_what_would_be_right(name: str, value: str) -> None:
    [fault] = faults(**{name: value})
    assert fault.startswith(f"{name} should be ")
    for slip in ("Exceeds", "Invalid IPv6", "does not appear", "could not be cast", "netloc"):
        assert slip not in fault, "a library's words say what is wrong, not what would be right"


def test_every_variable_has_a_faulty_value_in_the_table() -> None:
    assert {name for name, _ in FAULTY} == {variable.name for variable in VARIABLES}


@pytest.mark.parametrize(
    ("name", "value", "field", "parsed"),
    [
        ("CHATWOOT_CONTACT_VIEW_SECRET", f"{'a' * 24} , {'b' * 24},", "secrets",
         ("a" * 24, "b" * 24)),
        ("MIDDAG_API_URL", "http://127.0.0.1:8000/v1/", "middag_api_url",
         "http://127.0.0.1:8000/v1"),
        ("MIDDAG_API_URL", "http://[::1]:80/v1", "middag_api_url", "http://[::1]:80/v1"),
        ("MIDDAG_API_URL", "https://a.example/?rest_route=/middag-account/v1/", "middag_api_url",
         "https://a.example/?rest_route=/middag-account/v1"),
        ("MIDDAG_API_URL", "https://a.example/index.php/wp-json/middag-account/v1",
         "middag_api_url", "https://a.example/index.php/wp-json/middag-account/v1"),
        ("MIDDAG_CALLS_PER_MINUTE", "", "middag_calls_per_minute", 120),
        ("CHATWOOT_FRAME_ORIGINS", "https://a.example, https://b.example:8443/", "frame_origins",
         ("https://a.example", "https://b.example:8443")),
        ("CHATWOOT_URL", "https://chat.example.com/app", "frame_origins",
         ("https://chat.example.com",)),
        ("PANEL_INBOXES", "1, 2,3", "inboxes", (1, 2, 3)),
        ("PANEL_CHECK_INBOX", "no", "check_inbox", False),
        ("PANEL_MASK", "", "mask", "unproven"),
        ("PANEL_MASK", "never", "mask", "never"),
        ("PANEL_VERIFY_BY", "", "verify_by", {"key", "call"}),
        ("PANEL_VERIFY_BY", "call, tax-id,", "verify_by", {"call", "tax_id"}),
        ("PANEL_TIMEZONE", "Asia/Tokyo", "timezone", ZoneInfo("Asia/Tokyo")),
        ("PANEL_DATABASE_URL", "postgresql://u:p@h/db", "worker", "separate"),
        ("PANEL_DATABASE_URL", "sqlite:////var/lib/panel.db", "worker", "inside"),
        ("PANEL_CACHE_URL", "redis://:word@cache:6379/1", "cache_url",
         "redis://:word@cache:6379/1"),
        ("MIDDAG_LINK_ORDER", "https://a.example/o?id={id}", "links",
         {"order": "https://a.example/o?id={id}"}),
        ("MIDDAG_LINK_ORDER", "", "links", {}),
    ],
)  # fmt: skip
def test_a_right_value_is_parsed(name: str, value: str, field: str, parsed: object) -> None:
    assert getattr(from_env(RIGHT | {name: value}), field) == parsed


SECRETS = [
    ("CHATWOOT_CONTACT_VIEW_SECRET", "hunter2"),
    ("CHATWOOT_API_TOKEN", "hunter2 hunter2"),
    ("CHATWOOT_WEBHOOK_SECRET", "hunter2 hunter2"),
    ("PANEL_METRICS_TOKEN", "hunter2 hunter2"),
    ("MIDDAG_API_URL", "https://user:hunter2@account.example.com"),
    ("CHATWOOT_URL", "https://hunter2℀@chat.example.com"),
    ("PANEL_CACHE_URL", "redis://:hunter2℀@cache/0"),
    ("PANEL_DATABASE_URL", "postgresql://user:hunter2℀@host/name"),
    ("PANEL_DATABASE_URL", "postgres://user:hunter2@host/name"),
]


@pytest.mark.parametrize(("name", "value"), SECRETS, ids=lambda text: ascii(text)[1:-1][:40])
def test_no_fault_tells_a_secret(name: str, value: str) -> None:
    assert "hunter2" not in " ".join(faults(**{name: value}))


def test_the_settings_do_not_show_their_secrets() -> None:
    settings = from_env(
        RIGHT
        | {
            "CHATWOOT_API_TOKEN": "hunter2",
            "CHATWOOT_WEBHOOK_SECRET": "hunter2",
            "PANEL_METRICS_TOKEN": "hunter2",
            "PANEL_CACHE_URL": "redis://:hunter2@cache/0",
            "PANEL_DATABASE_URL": "postgresql://u:hunter2@h/n",
        }
    )
    assert "hunter2" not in f"{settings!r} {settings}"
    assert RIGHT["CHATWOOT_CONTACT_VIEW_SECRET"] not in repr(settings)


COMMANDS = {
    "python": [sys.executable, "-c", "import app; app.create_app()"],
    "flask": [sys.executable, "-m", "flask", "--app", "app", "launch-url"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_program_with_faulty_settings_names_all_faults_and_ends_with_2(command: str) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "CHATWOOT_API_TOKEN": "hunter2 hunter2",
        "CHATWOOT_ACCOUNT_ID": "none",
    }
    process = subprocess.run(
        COMMANDS[command],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 2
    for name in RIGHT:
        assert name in process.stderr
    assert "Traceback" not in process.stderr
    assert "hunter2" not in process.stdout + process.stderr


def test_gunicorn_with_faulty_settings_ends_instead_of_starting_again_and_again() -> None:
    command = [sys.executable, "-m", "gunicorn", "app:create_app()", "--bind", "127.0.0.1:0"]
    environ = {"PATH": os.environ["PATH"]}
    process = subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert process.returncode != 0
    assert process.stderr.count("The settings are not right") == 1
