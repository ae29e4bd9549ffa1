"""The alerts and the dashboard of deploy/: a panel's figures have all that they query."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.conftest import environment, worlds_on_sockets
from tests.deployed import DEPLOY, ROOT, program, run
from tests.test_processes import gunicorn

ALERTS = DEPLOY / "alerts.yaml"
OPERATE = (ROOT / "docs/operate.md").read_text()
# A metric with its label filters, as in `panel_hooks_total{answer="not_kept"}`.
SELECTOR = re.compile(r"\b((?:panel|process)_\w+)(\{[^}]*\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
OF_PROMETHEUS = {"job", "instance"}  # labels that Prometheus adds


def read_rules() -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load(ALERTS)["groups"][0]["rules"])


def read_panels() -> dict[str, list[str]]:
    """Return the queries of each panel of the dashboard, by its title."""
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    return {
        panel["title"]: [target["expr"] for target in panel["targets"]]
        for panel in panels
        if panel["type"] != "row"
    }


ASKED = {
    **{rule["alert"]: [rule["expr"]] for rule in read_rules() if "up{" not in rule["expr"]},
    **read_panels(),
}


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> list[Metric]:
    """The figures of a panel that nobody has used yet."""
    folder = tmp_path_factory.mktemp("panel")
    with worlds_on_sockets() as worlds:
        settings = environment(worlds.office_url, worlds.chat_url, folder)
        with gunicorn(settings) as served:
            text = requests.get(f"{served.url}/metrics", timeout=30).text
    return list(text_string_to_metric_families(text))


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_for_is_there_from_the_start(families: list[Metric], name: str) -> None:
    """Every queried metric exists, with every queried value of a label."""
    for question in ASKED[name]:
        selectors = SELECTOR.findall(question)
        assert selectors, question
        for metric, narrowed in selectors:
            series = [sample.labels for family in families for sample in family.samples
                      if sample.name == metric]  # fmt: skip
            assert series, f"{metric} does not exist"
            for label, sign, expected in MATCHER.findall(narrowed):
                if label not in OF_PROMETHEUS:
                    values = {labels[label] for labels in series}
                    missing = [value for value in expected.split("|") if value not in values]
                    assert not missing, f"{metric}: no {label} {sign} {missing}"


def test_each_alert_has_a_row_in_the_manual_and_each_row_an_alert() -> None:
    rows = re.findall(r"^\| `(Panel\w+)` \|", OPERATE, re.MULTILINE)
    assert rows == [rule["alert"] for rule in read_rules()]


def test_an_alert_says_what_happened_and_how_urgent_it_is() -> None:
    for rule in read_rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


# -- Prometheus's own parser
# -----------------------------------------------------------------------------


def test_promtool_accepts_the_alerts() -> None:
    checked = run(program("promtool"), "check", "rules", ALERTS)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_promtool_accepts_what_the_dashboard_asks(tmp_path: Path) -> None:
    questions = [query for queries in read_panels().values() for query in queries]
    rules = [
        {"record": f"panel:{place}", "expr": question.replace("$__rate_interval", "5m")}
        for place, question in enumerate(questions)
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = run(program("promtool"), "check", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("alert", "series", "values", "fires"),
    [
        ("PanelHooksLost", 'panel_hooks_total{answer="not_kept"}', "0x10 1x5", True),
        ("PanelHooksLost", 'panel_hooks_total{answer="not_kept"}', "0x15", False),
        ("PanelHooksWait", "panel_hooks_oldest_timestamp_seconds", "1x120", True),
        ("PanelHooksWait", "panel_hooks_oldest_timestamp_seconds", "0x120", False),
        ("PanelNotReconciled", "panel_last_reconcile_timestamp_seconds", "1x1800", True),
        ("PanelNotReconciled", "panel_last_reconcile_timestamp_seconds", "0x1800", False),
        ("PanelPluginSilent", 'panel_last_delivery_timestamp_seconds{sender="plugin"}', "1x3000",
         True),
        ("PanelPartNotWell", 'panel_part_fine{part="database"}', "1x5 0x8", True),
        ("PanelPartNotWell", 'panel_part_fine{part="chatwoot"}', "1x5 0x8", False),
        ("PanelPartNotWell", 'panel_part_fine{part="worker"}', "1x5 0x8", False),
        ("PanelNoWorker", 'panel_part_fine{part="worker"}', "1x5 0x8", True),
        ("PanelNoWorker", 'panel_part_fine{part="worker"}', "1x15", False),
    ],
)  # fmt: skip
def test_an_alert_fires_when_it_should(
    tmp_path: Path, alert: str, series: str, values: str, fires: bool
) -> None:
    """Prometheus itself judges the series, with a value a minute."""
    minutes = sum(int(part.partition("x")[2]) + 1 for part in values.split()) - 1
    rule = next(candidate for candidate in read_rules() if candidate["alert"] == alert)
    labels = dict(re.findall(r'(\w+)="(\w+)"', series))
    counts = {name: value for name, value in labels.items() if f"by ({name})" in rule["expr"]}
    fired = {
        "exp_labels": {**rule["labels"], **counts},
        "exp_annotations": {"summary": rule["annotations"]["summary"].replace(
            "{{ $labels.part }}", labels.get("part", ""))},
    }  # fmt: skip
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values}],
        "alert_rule_test": [
            {"eval_time": f"{minutes}m", "alertname": alert, "exp_alerts": [fired] if fires else []}
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": [test]}))
    checked = run(program("promtool"), "test", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
