"""The figures of `/metrics`: access to them, and the counts."""

import time
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from panel.data.directory import Known
from panel.demo.worlds import SECRET
from panel.services import get, services
from panel.sync.jobs import Jobs
from tests.conftest import MakePanel, Panel, seal_of

FORWARDED = {"X-Forwarded-For": "203.0.113.5"}  # not from this machine
Figures = dict[tuple[str, ...], float]
AURORA = Known(42, "Aurora", None, None, None, None, None, None, "none", 0, None)
TOKEN = "figures-and-nothing-else"


def read_figures(panel: Panel) -> Figures:
    """Return each sample by its name and the values of its labels, in the order of the labels'
    names."""
    return parse_figures(panel.ask("GET", "/metrics").text)


def parse_figures(text: str) -> Figures:
    return dict(_list_samples(text))


def _list_samples(text: str) -> Iterator[tuple[tuple[str, ...], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values = [value for _, value in sorted(sample.labels.items())]
            yield (sample.name, *values), sample.value


# -- access ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_monitoring_elsewhere_needs_its_own_token(make_panel: MakePanel, path: str) -> None:
    panel = make_panel(PANEL_METRICS_TOKEN=TOKEN)
    answers = {
        bearer: panel.ask("GET", path, bearer, headers=FORWARDED).status_code
        for bearer in (TOKEN, SECRET, "wrong", None)
    }
    assert answers == {TOKEN: 200, SECRET: 401, "wrong": 401, None: 401}


def test_without_a_token_of_its_own_the_shared_secret_opens_the_figures(panel: Panel) -> None:
    assert panel.ask("GET", "/metrics", SECRET, headers=FORWARDED).status_code == 200


def test_the_token_of_monitoring_opens_nothing_else(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_METRICS_TOKEN=TOKEN)
    hints = panel.hints()
    assert panel.ask("POST", "/contact", TOKEN, data=hints).status_code == 403
    assert panel.ask("POST", "/sync/hooks", TOKEN, json={}).status_code == 401
    assert panel.ask("GET", "/sections/orders", TOKEN).status_code == 401


# -- counts ------------------------------------------------------------------------------


def grown(panel: Panel, before: Figures) -> Figures:
    """Return the samples that have grown since then, without buckets."""
    now = read_figures(panel)
    return {
        key: value - before.get(key, 0.0)
        for key, value in now.items()
        if value != before.get(key, 0.0) and not key[0].endswith(("_bucket", "_sum"))
    }


def test_an_opening_is_seen_from_the_request_to_the_back_office(panel: Panel) -> None:
    before = read_figures(panel)
    seal = seal_of(panel.open().text)
    for _ in range(2):
        panel.section("orders", seal)
    growth = grown(panel, before)
    assert growth["panel_request_seconds_count", "answered", "contact"] == 1
    assert growth["panel_request_seconds_count", "answered", "section"] == 2
    assert growth["panel_section_seconds_count", "orders", "fresh"] == 2
    assert growth["panel_sections_total", "orders", "loading"] == 1
    assert growth["panel_sections_total", "orders", "fresh"] == 2
    assert growth["panel_cache_reads_total", "orders", "fetched"] == 1
    assert growth["panel_cache_reads_total", "orders", "hit"] == 1
    assert growth["panel_upstream_seconds_count", "orders", "127.0.0.1", "ok"] == 1
    assert growth["panel_upstream_seconds_count", "conversations", "127.0.0.1", "ok"] == 1


def test_a_broken_back_office_is_seen_by_document_and_code(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    before = read_figures(panel)
    panel.office.fault("500", 42)
    panel.section("orders", seal)
    growth = grown(panel, before)
    assert growth["panel_upstream_seconds_count", "orders", "127.0.0.1", "failed"] == 2  # one retry
    assert growth["panel_upstream_calls_total", "127.0.0.1", "http_500"] == 2
    assert growth["panel_upstream_failures_total", "orders", "127.0.0.1", "http_500"] == 1
    assert growth["panel_cache_reads_total", "orders", "failed"] == 1
    assert growth["panel_section_seconds_count", "orders", "failed"] == 1
    assert growth["panel_request_seconds_count", "failed", "section"] == 1


def test_who_is_refused_is_counted_by_the_code(panel: Panel) -> None:
    before = read_figures(panel)
    panel.ask("POST", "/contact", "wrong", data=panel.hints())
    panel.ask("POST", "/contact", headers={"Origin": "https://elsewhere.example"})
    panel.ask("GET", "/sections/orders", "no-seal")
    growth = grown(panel, before)
    values = {
        key[1]: value for key, value in growth.items() if key[0] == "panel_refused_proofs_total"
    }
    assert values == {"wrong_proof": 1, "foreign_origin": 1, "seal_invalid": 1}


def test_a_search_is_counted_by_what_came_of_it(panel: Panel) -> None:
    before = read_figures(panel)
    seal = seal_of(panel.open().text)
    panel.ask("GET", "/search?q=nobody-of-that-name", seal)
    assert grown(panel, before)["panel_searches_total", "nothing"] == 1


def test_no_label_tells_an_id_or_a_value(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    panel.section("orders", seal)
    panel.ask("GET", "/sections/4242")
    panel.ask("GET", "/nowhere/4242")
    labels = {value for key in read_figures(panel) for value in key[1:]}
    assert not {label for label in labels if "4242" in label or "101" in label or label == "42"}


# -- figures from the database
# ----------------------------------------------------------------------------


def ring(panel: Panel, hook_id: str) -> None:
    hook = {"event": "order.paid", "timestamp": "2026-11-30T12:00:00Z", "id": hook_id}
    body = {**hook, "data": {"organization_id": 42}}
    assert panel.ask("POST", "/sync/hooks", SECRET, json=body).status_code == 202


def test_what_waits_and_since_when_is_read_from_the_database(panel: Panel) -> None:
    before = read_figures(panel)
    assert before["panel_hooks_waiting",] == before["panel_hooks_oldest_timestamp_seconds",] == 0
    rung_at = time.time()
    ring(panel, "f1")
    ring(panel, "f2")
    now = read_figures(panel)
    assert now["panel_hooks_waiting",] == 2
    assert now["panel_passes", "waiting"] == 1
    assert rung_at <= now["panel_hooks_oldest_timestamp_seconds",] <= time.time()
    assert rung_at <= now["panel_last_delivery_timestamp_seconds", "plugin"] <= time.time()
    assert now["panel_last_delivery_timestamp_seconds", "chatwoot"] == 0
    assert grown(panel, before)["panel_hooks_total", "accepted", "order"] == 2


def test_the_nightly_run_is_known_by_what_it_lined_up(panel: Panel) -> None:
    assert read_figures(panel)["panel_last_reconcile_timestamp_seconds",] == 0
    with panel.app.app_context():
        services().directory.put_organization(AURORA)
        get(Jobs).reconcile()
    assert read_figures(panel)["panel_last_reconcile_timestamp_seconds",] > time.time() - 60


def test_without_its_database_a_panel_still_tells_its_figures(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_DATABASE_URL="postgresql://panel@127.0.0.1:1/panel")
    figures = read_figures(panel)
    assert figures["panel_part_fine", "database"] == 0
    assert figures["panel_part_fine", "cache"] == 1
    assert ("panel_hooks_waiting",) not in figures  # an unknown value is not 0
    assert ("panel_request_seconds_count", "answered", "contact") in figures
