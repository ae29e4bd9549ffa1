"""The benchmark: its arithmetic, its client, and that a run ends with nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response

from bench.figures import Figure, Mark, Samples, alternate, missed, percentile, ratios, table
from bench.path import Trace, trace
from bench.rows import ROWS
from bench.wire import Connection, load, request
from panel.cache.entries import Lifetimes, Resource
from panel.demo.worlds import Server, serve
from panel.models.text import clean
from tests.conftest import wait_until

ROOT = Path(__file__).resolve().parent.parent


def figure(values: list[float], mark: Mark | None = None) -> Figure:
    return Figure("row", "so many per second", "a rival", "files", Samples(values, "a note"), mark)


# -- arithmetic --------------------------------------------------------------------------------


def test_a_percentile_is_one_of_the_values() -> None:
    hundred = [float(number) for number in range(100, 0, -1)]
    assert [percentile(hundred, share) for share in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 95) == 7.0
    assert percentile([1.0, 2.0], 95) == 2.0


def test_ours_and_theirs_take_turns_and_the_pairs_stay_in_order() -> None:
    lines: list[str] = []

    def say(word: str, value: float) -> float:
        lines.append(word)
        return value

    pairs = alternate(lambda: say("a", 1.0), lambda: say("b", 4.0), 3)
    assert pairs == [(1.0, 4.0)] * 3
    assert lines == ["a", "b", "b", "a", "a", "b"]
    assert ratios(pairs) == [0.25] * 3


@pytest.mark.parametrize(
    ("mark", "value", "reached"),
    [
        (Mark(">=", 0.5), 2.0, True),
        (Mark(">=", 2.1), 2.0, False),
        (Mark("<=", 2.0), 2.0, True),
        (Mark("<=", 1.9), 2.0, False),
        (Mark("=", 9, pick="most"), 9.0, True),
        (Mark("<=", 8, pick="p95"), 9.0, False),
        (Mark("<=", 4, pick="mean"), 4.0, True),
        (None, 2.0, None),
    ],
)
def test_the_mark_says_which_value_counts_and_whether_it_is_enough(
    mark: Mark | None, value: float, reached: bool | None
) -> None:
    result = figure([1.0, 2.0, 9.0], mark)
    assert (result.value, result.reached) == (value, reached)


def test_what_missed_is_shown_and_named_and_the_rest_is_not() -> None:
    figures = [figure([0.4], Mark(">=", 0.5)), figure([0.6], Mark(">=", 0.5)), figure([0.1])]
    assert missed(figures) == ["so many per second (files)"]
    text = table(figures)
    assert [text.count(word) for word in ("MISSED", "reached", "reported")] == [1, 1, 1]
    assert figures[0].document()["reached"] is False


def test_a_trace_counts_the_calls_from_one_module_of_ours_into_another() -> None:
    assert trace(lambda: json.dumps([1])) == Trace()
    path = trace(lambda: [clean(" a ") for _ in range(3)])
    assert (path.modules, path.calls, path.changes) == ({"panel.models.text"}, 3, 3)
    resource = Resource("orders", 42, Lifetimes(60), list)
    path = trace(lambda: (resource.entry_key, clean(" a ")))
    assert path.modules == {"panel.cache.entries", "panel.models.text"}
    assert (path.calls, path.changes) == (3, 2), "the key is made within its own module"


def test_every_row_has_a_name_of_its_own_and_says_what_it_is_measured_against() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert all(line.what and line.against for row in ROWS for line in row.lines)


# -- the client --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that ends the connection after every answer."""
    app = Flask("bench")
    app.add_url_rule("/yes", "yes", lambda: Response(b"x" * 100_000))
    app.add_url_rule("/no", "no", lambda: Response(status=503))
    started = serve(app)
    yield started
    started.stop()


def test_a_load_counts_whole_answers_over_connections_that_the_server_ends(server: Server) -> None:
    result = load(server.port, [request("GET", "/yes")], connections=3, count=20)
    assert (dict(result.statuses), len(result.times)) == ({200: 20}, 20)
    assert result.only(200).rate > 0
    connection = Connection(server.port)
    assert len(connection.ask(request("GET", "/yes")).body) == 100_000
    connection.close()


def test_a_load_ends_with_its_requests_and_a_fast_error_is_no_result(server: Server) -> None:
    result = load(server.port, [request("GET", "/yes"), request("GET", "/no")], connections=1)
    assert dict(result.statuses) == {200: 1, 503: 1}
    with pytest.raises(RuntimeError, match="503"):
        result.only(200)


# -- a whole run -------------------------------------------------------------------------------


def bench(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a run. Its processes are recognized by the folder in their environment or command."""
    command = [sys.executable, "-m", "bench", "--quick", *arguments]
    environ = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def left_by(folder: Path) -> list[str]:
    """Return the commands of all processes that use this folder."""
    rows = []
    for path in Path("/proc").iterdir():
        try:
            command, environ = ((path / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if str(folder).encode() in command + environ:
            rows.append(command.replace(b"\0", b" ").decode())
    return rows


def test_a_quick_run_measures_tells_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    run = bench(tmp_path, "--rows", "open", "--json", str(file))
    output, _ = run.communicate(timeout=120)
    report = json.loads(file.read_text())
    assert report["rows"], output
    assert all(row["value"] > 0 for row in report["rows"])
    enough = all(row["reached"] is not False for row in report["rows"])
    assert run.returncode == (0 if enough else 1)
    assert "warm open" in output
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
    assert left_by(tmp_path) == []


def test_an_interrupted_run_stops_what_it_has_started(tmp_path: Path) -> None:
    run = bench(tmp_path, "--json", str(tmp_path / "bench.json"))  # a minute, if not interrupted
    wait_until(lambda: any("gunicorn" in command for command in left_by(tmp_path)), 60)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode != 0, output
    assert left_by(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
