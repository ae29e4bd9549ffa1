"""docs/hooks.md is right, and its example and its sender for WordPress work."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from panel.demo.worlds import SECRET
from panel.services import get
from panel.sync.events import KINDS, find_kind
from panel.sync.intake import Intake
from panel.sync.wire import MOST_BYTES
from tests.conftest import Panel, panels_before, worlds_on_sockets

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT = (DOCS / "hooks.md").read_text()
FORMAT = TEXT[: TEXT.index("## A sender for WordPress")]
PLUGIN = DOCS.parent / "deploy/wordpress"
OLD_PHP = Path(__file__).with_name("php_7_4.php")
STAMP = "2026-05-04T14:30:00Z"
BEARER = {"Authorization": f"Bearer {SECRET}"}
NO_PHP = "NO PHP HERE: the sender for WordPress was not looked at (php not found)"
NO_CURL = "NO CURL HERE: the example of docs/hooks.md was not tried (curl not found)"


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    folder = tmp_path_factory.mktemp("doc")
    with worlds_on_sockets() as both, panels_before(both, folder) as make:
        yield make()


def ring(panel: Panel, **fields: Any) -> requests.Response:
    event = {"event": "entitlement.suspended", "timestamp": STAMP, "data": {"organization_id": 42}}
    return panel.ask("POST", "/sync/hooks", SECRET, json=event | fields)


def rows() -> dict[str, str]:
    """Return the table of answers: first column to second."""
    cells = [line.strip("| ").split(" | ") for line in FORMAT.splitlines() if line.startswith("| ")]
    return {row[0]: row[1] for row in cells[2:]}


# -- the answers -----------------------------------------------------------------------------------


def test_the_table_names_every_answer_that_the_door_gives() -> None:
    numbers = {number for first in rows() for number in re.findall(r"\b\d{3}\b", first)}
    assert numbers == {"200", "202", "401", "413", "415", "422", "429", "503"}
    for word in ("accepted", "duplicate", "ignored"):
        assert any(f"`{word}`" in first for first in rows())


def test_accepted_then_duplicate(panel: Panel) -> None:
    first, second = ring(panel, id="d1"), ring(panel, id="d1")
    assert (first.status_code, first.json()) == (202, {"status": "accepted", "id": "d1"})
    assert (second.status_code, second.json()) == (200, {"status": "duplicate", "id": "d1"})


def test_a_known_kind_without_an_organization_is_kept_and_buried(panel: Panel) -> None:
    assert ring(panel, id="d2", data={}).json()["status"] == "accepted"
    assert ("d2", "no_organization") in [
        (row.id, row.reason) for row in get(Intake, panel.app).list_buried()
    ]


def test_valid_but_no_kind_of_ours_is_ignored(panel: Panel) -> None:
    answer = ring(panel, id="d3", event="weather.changed")
    assert (answer.status_code, answer.json()) == (202, {"status": "ignored", "id": "d3"})


def test_other_types_are_415_and_larger_ones_413(panel: Panel) -> None:
    headers = {"Content-Type": "text/plain"}
    assert panel.ask("POST", "/sync/hooks", SECRET, data=b"{}", headers=headers).status_code == 415
    assert ring(panel, padding="x" * MOST_BYTES).status_code == 413
    assert f"over {MOST_BYTES // 1024} KB: 413" in TEXT


@pytest.mark.parametrize("fields", [{"event": None}, {"timestamp": None}, {"timestamp": "soon"}])
def test_no_event_or_timestamp_is_422(panel: Panel, fields: dict[str, Any]) -> None:
    assert ring(panel, **fields).status_code == 422


def test_wrong_proofs_are_401_then_429_and_say_when(panel: Panel) -> None:
    answers = [panel.ask("POST", "/sync/hooks", "wrong", json={}) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_what_could_not_be_kept_is_503_and_says_when(tmp_path: Path) -> None:
    with worlds_on_sockets() as both, panels_before(both, tmp_path) as make:
        panel = make()
        for file in tmp_path.glob("panel.db*"):
            file.unlink()
        answer = ring(panel)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


# -- the text about the format -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "headers", "kept_as"),
    [
        ({"id": "of-body"}, {"webhook-id": "of-header"}, "of-header"),
        ({"id": "of-body-alone"}, {}, "of-body-alone"),
        ({"company": "middag_br"}, {}, "sha256:"),
    ],
)
def test_the_id_is_the_headers_else_the_bodys_else_its_hash(
    panel: Panel, fields: dict[str, Any], headers: dict[str, str], kept_as: str
) -> None:
    event = {"event": "order.paid", "timestamp": STAMP, **fields}
    answer = panel.ask("POST", "/sync/hooks", SECRET, json=event, headers=headers)
    assert answer.json()["id"].startswith(kept_as)


@pytest.mark.parametrize(
    "fields",
    [
        {"organization_id": 42},
        {"data": {"organization_id": 42}},
        {"data": {"organization": {"id": 42}}},
        {"event": "organization.updated", "data": {"id": 42}},
    ],
    ids=str,
)
def test_the_organization_is_found_in_each_of_the_places(
    panel: Panel, fields: dict[str, Any]
) -> None:
    event = {"id": f"place {fields}", "data": {}} | fields
    assert ring(panel, **event).status_code == 202
    assert event["id"] not in [row.id for row in get(Intake, panel.app).list_buried()]


def test_the_kinds_are_those_that_the_text_says() -> None:
    names = set(KINDS)
    groups = {name for name in names if name.endswith(".*")}
    extra = {word for word in re.findall(r"`([a-z_]+\.[a-z_*]+)`", FORMAT) if word in names}
    assert groups == {"order.*", "quote.*", "license.*", "entitlement.*"}
    assert groups | {"organization.deleted"} <= extra
    assert {f"collaborator.{end}" for end in ("added", "updated", "removed")} <= extra
    assert len(names - groups - extra) == 24


def test_every_group_of_kinds_is_kept_and_never_ignored(panel: Panel) -> None:
    events = [kind.name.replace("*", "anything_new") for kind in KINDS.values()]
    statuses = {event: ring(panel, id=f"k {event}", event=event).json() for event in events}
    assert {event for event, status in statuses.items() if status["status"] != "accepted"} == set()


@pytest.mark.parametrize("group", ["organization", "collaborator", "ticket", "invoice"])
def test_other_groups_are_open_to_the_named_kinds_alone(panel: Panel, group: str) -> None:
    assert ring(panel, id=f"n {group}", event=f"{group}.anything").json()["status"] == "ignored"


def test_the_example_with_curl_works_as_it_stands(panel: Panel) -> None:
    if not shutil.which("curl"):
        pytest.skip(NO_CURL)
    example = next(part for part in TEXT.split("```") if part.strip().startswith("curl"))
    environment = {"PANEL_URL": panel.url, "CHATWOOT_CONTACT_VIEW_SECRET": SECRET}
    environ = {"PATH": os.environ["PATH"], **environment}
    process = subprocess.run(
        ["sh", "-c", example], check=True, env=environ, capture_output=True, timeout=30
    )
    assert b"202" in process.stdout.splitlines()[0]
    assert json.loads(process.stdout.splitlines()[-1])["id"] == "try-1"


# -- the sender for WordPress ----------------------------------------------------------------------
# tests/wordpress tests the sender on a real WordPress.

SENDER = TEXT[len(FORMAT) :]
FILES = sorted(PLUGIN.rglob("*.php"))
PARTS = {file.name: file.read_text() for file in FILES}
CODE = "".join(PARTS.values())
MOST_LINES = 250


@pytest.fixture
def php() -> str:
    return shutil.which("php") or pytest.skip(NO_PHP)


def run_php(php: str, *arguments: str) -> str:
    command = [php, *arguments]
    process = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_php_can_read_the_sender(php: str) -> None:
    for file in FILES:
        run_php(php, "-l", str(file))


def test_the_sender_needs_no_newer_php_than_7_4(php: str) -> None:
    assert run_php(php, str(OLD_PHP), *map(str, FILES)) == ""


@pytest.mark.parametrize(
    "code",
    [
        "match( $x ) { 1 => 2 };",
        "$x?->y();",
        "function f( int|string $x ) {}",
        "function f( ?int $x, ) {}",
        "function f(): static {}",
        "function f( mixed $x ) {}",
        "class A { public function __construct( private $x ) {} }",
        "enum A { case B; }",
        "f( name: 1 );",
        "try { f(); } catch ( E ) {}",
        "$x = $y ?? throw new E();",
        "f( ... );",
        "$x::class;",
        "str_contains( 'a', 'b' );",
        "#[Attribute] class A {}",
        "function () use ( $x, ) {};",
    ],
)
def test_what_php_7_4_cannot_read_is_found(php: str, tmp_path: Path, code: str) -> None:
    (tmp_path / "new.php").write_text(f"<?php\n{code}\n")
    assert run_php(php, str(OLD_PHP), str(tmp_path / "new.php")) != ""


def test_the_files_are_small_and_the_loader_names_them_all() -> None:
    loader = PARTS["middag-panel-hooks.php"]
    parts = set(re.findall(r"^\t\t'([a-z-]+)',$", loader, re.MULTILINE))
    assert parts == {file.stem for file in PLUGIN.glob("*/*.php")} - {"pt_BR"}
    assert {name for name, code in PARTS.items() if len(code.splitlines()) > MOST_LINES} == set()


def test_no_file_can_be_asked_for_from_outside() -> None:
    assert [n for n, code in PARTS.items() if "defined( 'ABSPATH' ) || exit;" not in code] == []


def test_the_text_names_every_filter_and_setting_of_the_code() -> None:
    filters = set(re.findall(r"apply_filters\( '(middag_panel_\w+)'", CODE))
    assert filters == set(re.findall(r"^\| `(middag_panel_\w+)`", SENDER, re.MULTILINE))
    settings = set(re.findall(r"'(MIDDAG_PANEL_[A-Z]+)'", PARTS["settings.php"]))
    assert {name for name in settings if name not in SENDER} == set()
    for words in re.findall(r"press \"(.*?)\"", SENDER):
        assert f"'{words}'" in PARTS["actions.php"]


def test_every_kind_that_its_table_names_is_one_of_ours() -> None:
    table = PARTS["names.php"].split("const EVENTS")[1].split(";")[0]
    kinds = []
    for domain, events in re.findall(r"'(\w+)'\s*=> array\((.*?)\)", table, re.DOTALL):
        kinds += [f"{domain}.{kind}" for kind in re.findall(r"=> '(\w+)'", events)]
    assert len(kinds) >= 20
    assert [kind for kind in kinds if not find_kind(kind)] == []


def test_every_text_has_its_portuguese() -> None:
    texts = set(re.findall(r"(?:__|_e)\( '((?:\\'|[^'])+)', 'middag-panel-hooks'", CODE))
    row = r"^\t'((?:\\'|[^'])+)' => '((?:\\'|[^'])+)',$"
    table = re.findall(row, PARTS["pt_BR.php"], re.MULTILINE)
    assert texts == {text for text, _ in table}
    marks = [(text.count("%"), words.count("%")) for text, words in table]
    assert [pair for pair in marks if pair[0] != pair[1]] == []
