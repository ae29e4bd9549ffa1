"""The rows of the shop: its guests and its agents while a backfill reads customer by customer."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from threading import BoundedSemaphore

import requests

from bench import machine
from bench.figures import Samples
from bench.reading import CONNECTIONS
from bench.stage import API, Absent, Panel, Stage, Visit, open_panel
from bench.wire import load
from bench.writing import hook_request
from panel.demo.worlds import SECRET
from tests.wordpress import installation
from tests.wordpress.programs import missing
from tests.wordpress.sites import Site

BACKFILLED = 80
PHP_WORKERS = installation.CHILDREN
PHP_SECONDS = 0.36  # the time of a request on a small host
CALLS = {"MIDDAG_CALLS_PER_MINUTE": "120"}  # the default of the setting
LISTS = ("collaborators", "orders", "quotes", "licenses", "entitlements")
# The rows are written in one transaction, because a disk that syncs each row would take minutes.
# They have distinct names, because WordPress searches all posts of the same title for a free name.
FILL = """
add_filter( 'pre_wp_unique_post_slug', 'wp_generate_uuid4' );
$rows = json_decode( file_get_contents( '{file}' ), true );
$GLOBALS['wpdb']->query( 'SET autocommit = 0' );
foreach ( $rows as list( $domain, $fields ) ) {{ tests_make( $domain, $fields ); }}
$GLOBALS['wpdb']->query( 'COMMIT' );
$GLOBALS['wpdb']->query( 'SET autocommit = 1' );
echo count( get_posts( array( 'post_type' => 'middag_organization', 'numberposts' => -1 ) ) );
"""


def played(stage: Stage, shape: str) -> list[Samples]:
    """Measure a stand-in for a shop whose few PHP workers are slow, while hooks of many
    organizations come."""
    environ = stage.environ(shape, **CALLS)
    stage.office.workers, stage.office.delay = BoundedSemaphore(PHP_WORKERS), PHP_SECONDS

    def ring(panel: Panel, rung: list[int]) -> None:
        hooks = [hook_request(number, "entitlement.renewed") for number in rung]
        load(panel.port, hooks, CONNECTIONS).only(202)

    try:
        with _wing(stage, environ) as panel:
            return _compare(stage, panel, stage.office_url, ring)
    finally:
        stage.office.workers, stage.office.delay = nullcontext(), 0.0


def real(stage: Stage, shape: str) -> list[Samples]:
    """Measure the WordPress of the tests, behind PHP-FPM and nginx, during `sync backfill`."""
    if names := missing():
        raise Absent(f"no WordPress here: {', '.join(names)}")
    with installation.installation() as site:
        site.configure(CHATWOOT_CONTACT_VIEW_SECRET=f"'{SECRET}'")
        environ = stage.environ(shape, MIDDAG_API_URL=site.url + API, **CALLS)

        def line_up(panel: Panel, rung: list[int]) -> None:
            command = [sys.executable, "-m", "flask", "--app", "app", "sync", "backfill"]
            numbers = [str(number) for number in rung]
            environment = {**panel.environ, "PATH": os.environ["PATH"]}
            subprocess.run(
                [*command, *numbers],
                cwd=machine.ROOT,
                env=environment,
                check=True,
                capture_output=True,
            )

        with _wing(stage, environ) as panel:
            return _compare(stage, panel, site.url, line_up, lambda v: _fill(stage, site, v))


@contextmanager
def _wing(stage: Stage, environ: Mapping[str, str]) -> Iterator[Panel]:
    """Run a panel, and a worker in a process of its own."""
    with stage.panel(environ) as panel, machine.worker(environ, stage.folder / "worker.log"):
        yield panel


def _compare(
    stage: Stage,
    panel: Panel,
    shop: str,
    line_up: Callable[[Panel, list[int]], None],
    tell: Callable[[list[Visit]], None] = lambda _: None,
) -> list[Samples]:
    """Compare the times of the front page and of a cold opening during the passes with those
    before.

    `tell`: brings organizations into the back office.
    """
    times = stage.times(10, 40)
    guests, later, rung = (stage.newcomers(number) for number in (times, times, BACKFILLED))
    tell([*guests, *later, *rung])
    before = [_visit_shop(shop, panel, guest) for guest in guests]
    stage.chat.forget()
    line_up(panel, [visit.organization for visit in rung])
    machine.wait_until(lambda: _count_new_contacts(stage))
    stage.chat.forget()
    during = [_visit_shop(shop, panel, guest) for guest in later]
    contacts = _count_new_contacts(stage)
    if not contacts:
        raise RuntimeError("no pass was under way")
    usual = [statistics.median(column) for column in zip(*before, strict=True)]
    note = f"{contacts} contacts made meanwhile, before {usual[0]:.3f} s and {usual[1]:.2f} s"
    pages, opens = ([row[at] / usual[at] for row in during] for at in (0, 1))
    return [Samples(pages, note), Samples(opens)]


def _count_new_contacts(stage: Stage) -> int:
    """Count the contacts that passes have made in Chatwoot since its list of calls was emptied."""
    with stage.chat.lock:
        calls = list(stage.chat.calls)
    return sum(call.method == "POST" and call.path.endswith("/contacts") for call in calls)


def _visit_shop(shop: str, panel: Panel, visit: Visit) -> tuple[float, float]:
    """Return the seconds of the shop's front page, and of a cold opening."""
    started_at = time.perf_counter()
    requests.get(shop, timeout=60).raise_for_status()
    page = time.perf_counter() - started_at
    return page, open_panel(panel.port, visit).seconds


def _fill(stage: Stage, site: Site, visits: Sequence[Visit]) -> None:
    """Write the built-in back office's records of these organizations as posts and their meta."""
    organizations = [stage.office.organizations[visit.organization] for visit in visits]
    rows = [("organization", organization) for organization in organizations]
    rows += [
        (name.removesuffix("s"), row)
        for visit in visits
        for name in LISTS
        for row in stage.office.rows(name, visit.organization)
    ]
    file = site.folder / "rows.json"
    file.write_text(json.dumps(rows))
    count = int(site.php(FILL.format(file=file), seconds=300).splitlines()[-1])
    if count != len(visits):
        raise RuntimeError(f"{count} organizations in WordPress")
