"""docs/hooks.md says what is true, and its example and its sender for WordPress work."""

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
PLUGIN = DOCS / "middag-panel-hooks.php"
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
    told = {"event": "entitlement.suspended", "timestamp": STAMP, "data": {"organization_id": 42}}
    return panel.ask("POST", "/sync/hooks", SECRET, json=told | fields)


def rows() -> dict[str, str]:
    """The table of answers: first column to second."""
    cells = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
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


# -- the words about the format --------------------------------------------------------------------


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
    told = {"event": "order.paid", "timestamp": STAMP, **fields}
    answer = panel.ask("POST", "/sync/hooks", SECRET, json=told, headers=headers)
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
    told = {"id": f"place {fields}", "data": {}} | fields
    assert ring(panel, **told).status_code == 202
    assert told["id"] not in [row.id for row in get(Intake, panel.app).list_buried()]


def test_the_kinds_are_those_that_the_text_says() -> None:
    names = set(KINDS)
    groups = {name for name in names if name.endswith(".*")}
    extra = {word for word in re.findall(r"`([a-z_]+\.[a-z_*]+)`", TEXT) if word in names}
    assert groups == {"order.*", "quote.*", "license.*", "entitlement.*"}
    assert groups | {"organization.deleted"} <= extra
    assert {f"collaborator.{end}" for end in ("added", "updated", "removed")} <= extra
    assert len(names - groups - extra) == 24


def test_every_group_of_kinds_is_kept_and_never_ignored(panel: Panel) -> None:
    events = [kind.name.replace("*", "anything_new") for kind in KINDS.values()]
    statuses = {event: ring(panel, id=f"k {event}", event=event).json() for event in events}
    assert {event for event, told in statuses.items() if told["status"] != "accepted"} == set()


@pytest.mark.parametrize("group", ["organization", "collaborator", "ticket", "invoice"])
def test_other_groups_are_open_to_the_named_kinds_alone(panel: Panel, group: str) -> None:
    assert ring(panel, id=f"n {group}", event=f"{group}.anything").json()["status"] == "ignored"


def test_the_example_with_curl_works_as_it_stands(panel: Panel) -> None:
    if not shutil.which("curl"):
        pytest.skip(NO_CURL)
    example = next(part for part in TEXT.split("```") if part.strip().startswith("curl"))
    told = {"PANEL_URL": panel.url, "CHATWOOT_CONTACT_VIEW_SECRET": SECRET}
    environ = {"PATH": os.environ["PATH"], **told}
    ended = subprocess.run(
        ["sh", "-c", example], check=True, env=environ, capture_output=True, timeout=30
    )
    assert b"202" in ended.stdout.splitlines()[0]
    assert json.loads(ended.stdout.splitlines()[-1])["id"] == "try-1"


# -- the sender for WordPress ----------------------------------------------------------------------

# What WordPress gives the sender: actions, a scheduler, an HTTP client; no more than it uses.
WORDPRESS = r"""<?php
define( 'ABSPATH', '/' );
define( 'MIDDAG_PANEL_URL', getenv( 'PANEL_URL' ) );
define( 'CHATWOOT_CONTACT_VIEW_SECRET', getenv( 'SECRET' ) );
$actions = $events = array();
function add_action( $name, $call, $priority = 10, $arguments = 1 ) {
	global $actions;
	$actions[ $name ] = $call;
}
function wp_generate_uuid4() { return bin2hex( random_bytes( 16 ) ); }
function wp_json_encode( $value ) { return json_encode( $value ); }
function wp_rand( $from, $to ) { return $from; }
function wp_schedule_single_event( $at, $name, $arguments ) {
	global $events;
	$events[] = array( $at - time(), $name, $arguments );
}
function wp_clear_scheduled_hook( $name, $arguments ) {
	global $events;
	$events = array_values( array_filter(
		$events,
		fn( $event ) => $event[1] !== $name || $event[2] !== $arguments
	) );
}
function is_wp_error( $answer ) { return false === $answer; }
function wp_remote_retrieve_response_code( $answer ) { return $answer; }
function wp_remote_post( $url, $options ) {
	$lines = array();
	foreach ( $options['headers'] as $name => $value ) { $lines[] = "$name: $value"; }
	$http = array( 'method' => 'POST', 'header' => $lines, 'content' => $options['body'] );
	$http += array( 'ignore_errors' => true, 'timeout' => $options['timeout'] );
	$body = @file_get_contents( $url, false, stream_context_create( array( 'http' => $http ) ) );
	if ( false === $body ) { return false; }
	fwrite( STDERR, $body . "\n" );
	return (int) explode( ' ', $http_response_header[0] )[1];
}
require $argv[1];
$entity = array( 'id' => 7, 'organization_id' => 42 );
foreach ( array_keys( MIDDAG_PANEL_ACTIONS ) as $name ) { $actions[ $name ]( $entity ); }
foreach ( $events as $event ) { $actions[ $event[1] ]( ...$event[2] ); }
echo json_encode( $events );
"""


@pytest.fixture
def php() -> str:
    return shutil.which("php") or pytest.skip(NO_PHP)


def wordpress(php: str, folder: Path, url: str) -> tuple[list[Any], list[Any]]:
    """Every action happens once: (what was scheduled, what the panel answered)."""
    (folder / "wordpress.php").write_text(WORDPRESS)
    command = [php, str(folder / "wordpress.php"), str(PLUGIN)]
    environ = {"PATH": os.environ["PATH"], "PANEL_URL": url, "SECRET": SECRET}
    ended = subprocess.run(command, check=True, env=environ, capture_output=True, timeout=60)
    answers = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith(b"{")]
    return json.loads(ended.stdout), answers


def test_php_can_read_the_sender(php: str) -> None:
    ended = subprocess.run([php, "-l", str(PLUGIN)], check=False, capture_output=True, timeout=30)
    assert ended.returncode == 0, ended.stdout


def test_every_kind_that_it_sends_is_one_of_ours() -> None:
    kinds = re.findall(r"'middag/[\w/]+'\s*=> '([\w.]+)'", PLUGIN.read_text())
    assert len(kinds) >= 10
    assert [kind for kind in kinds if not find_kind(kind)] == []


def test_what_it_sends_is_taken(php: str, panel: Panel, tmp_path: Path) -> None:
    scheduled, answers = wordpress(php, tmp_path, panel.url)
    assert len(answers) == len(scheduled) >= 10
    assert {answer["status"] for answer in answers} == {"accepted"}


def test_what_it_cannot_send_it_brings_again_with_the_same_id(php: str, tmp_path: Path) -> None:
    scheduled, answers = wordpress(php, tmp_path, "http://127.0.0.1:9")
    half = len(scheduled) // 2
    assert (answers, len(scheduled)) == ([], half * 2)
    for first, second in zip(scheduled[:half], scheduled[half:], strict=True):
        (body, number), (again, later) = first[2], second[2]
        assert (again, number, later, second[0] >= 30) == (body, 0, 1, True)


def test_it_tries_for_a_day() -> None:
    waits = re.search(r"WAITS = array\(([\d, ]+)\)", PLUGIN.read_text())
    assert waits
    assert sum(map(int, waits[1].split(","))) >= 86_400
