"""The files of deploy/, each checked by the parser of its own program."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from panel.auth.tokens import derive_launch_key
from panel.environment.variables import VARIABLES
from panel.settings import SettingsError, from_env
from tests.conftest import environment
from tests.deployed import DEPLOY, ROOT, Nginx, image, mirror, nginx, program, run

__all__ = ["image", "mirror", "nginx"]  # fixtures


COMPOSE: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PANELS = ["panel-a", "panel-b"]
NAMES = {variable.name for variable in VARIABLES}
OF_COMPOSE = {"POSTGRES_PASSWORD"}
OF_A_SERVICE = {
    "PANEL_CACHE_URL": "file:/var/lib/panel/cache",
    "PANEL_DATABASE_URL": "sqlite:////var/lib/panel/panel.db",
}
REQUIRED = {variable.name for variable in VARIABLES if variable.default is None}
EXPOSURE = 15  # the largest exposure that `systemd-analyze security` may find, in tenths


# -- the settings ----------------------------------------------------------------------------------


def example() -> dict[str, str]:
    """Return every setting of the example, commented out or not."""
    lines = (DEPLOY / "panel.env.example").read_text().splitlines()
    return dict(re.fullmatch(r"#?([A-Z_]+)=(.*)", line).groups() for line in lines if _sets(line))  # type: ignore[union-attr,misc]


def _sets(line: str) -> bool:
    return bool(re.match(r"#?[A-Z_]+=", line))


def test_the_example_names_every_setting_with_its_default_and_no_other() -> None:
    defaults = {variable.name: variable.default or "" for variable in VARIABLES}
    assert example() == defaults | OF_A_SERVICE | dict.fromkeys(OF_COMPOSE, "")


def test_the_example_asks_for_what_is_required_and_for_nothing_else() -> None:
    lines = (DEPLOY / "panel.env.example").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if _sets(line) and not line.startswith("#")}
    assert names == REQUIRED | OF_COMPOSE | set(OF_A_SERVICE)
    with pytest.raises(SettingsError) as error:
        from_env(example())
    assert {fault.split()[0] for fault in error.value.faults} == REQUIRED


def filled() -> dict[str, str]:
    """Return the example with an administrator's values."""
    settings = environment(
        "https://account.example.com", "https://chat.example.com", Path("/nowhere")
    )
    return {**example(), **{name: settings[name] for name in REQUIRED}}


@pytest.mark.parametrize("name", [*PANELS, "worker"])
def test_compose_gives_the_panel_settings_that_it_understands(name: str) -> None:
    texts = SERVICES[name]["environment"]
    assert set(texts) <= NAMES
    password = re.compile(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}")
    values = {key: password.sub("letters0and9digits", text) for key, text in texts.items()}
    settings = from_env(filled() | values)
    assert settings.worker == "separate"
    assert settings.trusted_proxies == 1
    assert (settings.cache_url, settings.database_url) == (
        "redis://valkey:6379/0",
        "postgresql://panel:letters0and9digits@postgres:5432/panel",
    )


@pytest.mark.parametrize("unit", ["panel", "panel-worker"])
def test_the_units_give_the_panel_settings_that_it_understands(unit: str) -> None:
    text = (DEPLOY / f"systemd/{unit}.service").read_text()
    fields = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
    assert fields.pop("PYTHONDONTWRITEBYTECODE") == "1"
    assert fields == {}  # a setting in the unit alone would be unknown to commands
    assert "EnvironmentFile=/etc/panel/panel.env" in text
    [folder] = re.findall(r"^StateDirectory=(\w+)$", text, re.MULTILINE)
    settings = from_env(filled())
    assert settings.database_url == f"sqlite:////var/lib/{folder}/panel.db"
    assert settings.cache_url == f"file:/var/lib/{folder}/cache"


def test_commands_get_the_settings_of_the_service_letter_by_letter(tmp_path: Path) -> None:
    """A shell would take `&` for an end, and `$` for a name; systemd takes neither."""
    secret = """a$HOME&b;c`d`"e'f(g)h|i*j\\k#l!m~n"""
    values = filled() | {
        "CHATWOOT_CONTACT_VIEW_SECRET": secret,
        "PANEL_URL": "https://p.example.com",
    }
    values |= {"MIDDAG_LINK_ORDER": "https://a.example.com/wp-admin/?page=x&action=edit&id={id}"}
    values |= {"PANEL_DATABASE_URL": f"sqlite:///{tmp_path}/panel.db"}
    values |= {"PANEL_CACHE_URL": f"file:{tmp_path}/cache"}
    lines = ["# A comment=1", "", *(f"{name}={value}" for name, value in values.items())]
    (tmp_path / "panel.env").write_text("\n".join(lines))
    environ = {"PATH": os.environ["PATH"], "PANEL_SETTINGS": str(tmp_path / "panel.env")}
    process = run(DEPLOY / "middag-panel", "launch-url", env=environ, cwd=tmp_path)
    assert process.stdout == f"https://p.example.com/#k={derive_launch_key(secret)}\n", (
        process.stderr
    )


# -- compose and the image -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_can_write_or_gain_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user", "panel") not in {"root", "0"}
    assert "ports" not in service or name == "nginx"


def test_nginx_finds_two_panels_under_one_name_and_waits_for_both() -> None:
    """The two panels are services and not replicas: compose replaces all replicas at once."""
    assert [name for name in SERVICES if name.startswith("panel")] == PANELS
    for name in PANELS:
        assert SERVICES[name]["networks"]["outside"]["aliases"] == ["panel"]
        # With `restart`, nginx would end each time that one of them is replaced.
        assert SERVICES["nginx"]["depends_on"][name] == {"condition": "service_healthy"}
    assert (
        "server panel:8000 resolve fail_timeout=1s;" in (DEPLOY / "nginx/compose.conf").read_text()
    )


def test_nobody_asks_a_registry_for_the_image_that_is_built_here() -> None:
    ours = [name for name in SERVICES if SERVICES[name]["image"] == "middag-contact-panel"]
    assert ours == [*PANELS, "worker"]
    assert [name for name in ours if "build" in SERVICES[name]] == ["panel-a"]
    assert {SERVICES[name]["pull_policy"] for name in ours if name != "panel-a"} == {"never"}


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_gets_the_time_that_gunicorn_gives_a_request(name: str) -> None:
    file = ROOT / "gunicorn.conf.py"
    fields: dict[str, Any] = {"__file__": str(file)}
    exec(file.read_text(), fields)
    assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) > fields["graceful_timeout"] + 5
    [alive] = re.findall(r"keepalive_timeout (\d+)s", (DEPLOY / "nginx/panel.conf").read_text())
    assert int(alive) < fields["keepalive"]


# -- their own parsers -----------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["panel", "panel-worker"])
def test_systemd_accepts_the_unit_and_finds_it_closed(unit: str, tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    text = (DEPLOY / f"systemd/{unit}.service").read_text()
    started = re.findall(r"^Exec\w+=(\S+)", text, re.MULTILINE)
    assert all(path.startswith("/opt/panel/.venv/bin/") for path in started)
    text = text.replace("/opt/panel/.venv", sys.prefix).replace("/opt/panel", str(ROOT))
    path = tmp_path / f"{unit}.service"
    path.write_text(text)
    verified = run(analyze, "verify", path)
    assert (verified.returncode, verified.stderr) == (0, "")
    outcome = run(analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("conf", ["main.conf", "compose.conf"])
def test_nginx_accepts_the_examples(conf: str, tmp_path: Path) -> None:
    nginx = Nginx(tmp_path, 8000, 3000)
    tested = run(*nginx.command(str(tmp_path / conf)), "-t")
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr.replace('the "user" directive', "")
