"""The figures that a process counts: one table of all of them, for Prometheus.

The only importer of `prometheus_client`. A label has few values, none of them an id or a name. A
series is there from the start, at 0 (`start_series`): an alert on its growth would miss the first
event of one that is born by it.

Where gunicorn forks several processes they count into files of one folder, which
PROMETHEUS_MULTIPROC_DIR names to the library (gunicorn.conf.py), and each answers for all of them.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

# When a series was born is nobody's question, and would be a line for each.
disable_created_metrics()  # type: ignore[no-untyped-call]

M = TypeVar("M", bound=MetricWrapperBase)
CONTENT_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
PASS_BUCKETS = (0.5, 1, 2.5, 5, 10, 30, 60, 120)

# -- what agents, the plugin and Chatwoot ask of us ------------------------------------------------

REQUEST_OUTCOMES = ("answered", "refused", "failed")  # below 400, below 500, the rest
REQUEST_SECONDS = Histogram(
    "panel_request_seconds", "Requests by route", ["route", "outcome"], buckets=BUCKETS
)
SECTION_STATES = ("loading", "fresh", "late", "empty", "failed", "denied")
SECTIONS_SHOWN = Counter(
    "panel_sections", "Sections that were drawn, by state", ["section", "state"]
)
SECTION_SECONDS = Histogram(
    "panel_section_seconds",
    "Sections that were asked for one by one, by state",
    ["section", "state"],
    buckets=BUCKETS,
)
REFUSED_PROOFS = Counter(
    "panel_refused_proofs", "Agents who were shown nothing, by the code that they read", ["code"]
)
SEARCHES_ANSWERED = Counter("panel_searches", "Searches of agents", ["outcome"])
HOOKS_ANSWERED = Counter(
    "panel_hooks", "The plugin's hooks by group of kinds and by answer", ["kind", "answer"]
)
WEBHOOKS_ANSWERED = Counter("panel_chatwoot_webhooks", "Chatwoot's webhooks by answer", ["answer"])

# -- the cache -------------------------------------------------------------------------------------

# `hit`, `late`: what is kept was shown. `shared`: another reader's fetch was waited for. `busy`: it
# took too long, or no thread was left to wait.
CACHE_OUTCOMES = ("hit", "late", "shared", "fetched", "failed", "busy")
CACHE_READS = Counter("panel_cache_reads", "Reads through the cache", ["document", "outcome"])
WAITING_THREADS = Gauge(
    "panel_waiting_threads",
    "Threads that wait for the outside worlds now",
    multiprocess_mode="livesum",
)
WAITING_THREADS_LIMIT = Gauge(
    "panel_waiting_threads_limit", "As many may", multiprocess_mode="livesum"
)

# -- the outside worlds ----------------------------------------------------------------------------

CALL_OUTCOMES = ("ok", "refused", "failed")  # `refused`: 401, 403, 404 in the other side's words
CALL_SECONDS = Histogram(
    "panel_upstream_seconds",
    "Calls to the outside worlds, without the wait for their turn",
    ["host", "document", "outcome"],
    buckets=BUCKETS,
)
# The codes that one expects of a host in trouble; others are born when they come.
USUAL_TROUBLES = (
    "timeout",
    "network",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
    "rate_limited",
    "unauthorized",
    "denied",
    "blocked",
    "unreadable",
    "wrong_shape",
)
CALLS = Counter("panel_upstream_calls", "Calls to the outside worlds", ["host", "outcome"])
FAILURES = Counter(
    "panel_upstream_failures",
    "Failed reads and writes of the outside worlds",
    ["host", "document", "outcome"],
)
ODD_VALUES = Counter(
    "panel_upstream_odd_values",
    "Values and records of the back office that could not be read",
    ["host", "document", "field"],
)
PAUSED_UNTIL = Gauge(
    "panel_upstream_paused_until_timestamp_seconds",
    "When a host that failed too often is asked again, 0 while it is asked",
    ["host"],
    multiprocess_mode="livemax",
)
BUDGET_WAITS = Histogram(
    "panel_budget_wait_seconds",
    "Calls of passes that waited for their turn: the calls a minute were used up",
    ["host"],
    buckets=BUCKETS,
)

# -- passes ----------------------------------------------------------------------------------------

PASS_OUTCOMES = ("done", "failed")
PASS_TRY_SECONDS = Histogram(
    "panel_pass_seconds", "Tries of passes", ["outcome"], buckets=PASS_BUCKETS
)


def start_series(metric: MetricWrapperBase, *values: Iterable[str]) -> None:
    """Let every combination of these values of its labels, in their order, stand at 0."""
    for combination in product(*values):
        metric.labels(*combination)


@lru_cache(maxsize=4096)
def find_series(metric: M, *labels: str) -> M:
    """As `metric.labels`, which takes longer than counting: for what every request counts."""
    return metric.labels(*labels)


def start_upstream_series(host: str, documents: Iterable[str], codes: Iterable[str]) -> None:
    """The series of a host that is asked for these documents; `codes`: of its own refusals."""
    names = tuple(documents)
    start_series(CALL_SECONDS, [host], names, CALL_OUTCOMES)
    start_series(CALLS, [host], ("ok", "paused", *USUAL_TROUBLES, *codes))
    start_series(FAILURES, [host], names, USUAL_TROUBLES)
    start_series(PAUSED_UNTIL, [host])
    start_series(BUDGET_WAITS, [host])


@contextmanager
def timing(metric: Histogram, well: str, failed: str) -> Iterator[None]:
    """Observe how long the block takes, under one outcome or the other."""
    begun, outcome = time.perf_counter(), failed
    try:
        yield
        outcome = well
    finally:
        metric.labels(outcome).observe(time.perf_counter() - begun)


@dataclass(frozen=True)
class Figure:
    """A figure that is read at each scrape: `values` by their label, or one under ""."""

    name: str
    words: str
    values: Mapping[str, float]
    label: str = ""


class _Figures:
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for each in self._figures:
            labels = [each.label] if each.label else []
            family = GaugeMetricFamily(each.name, each.words, labels=labels)
            for value, number in each.values.items():
                family.add_metric([value] if labels else [], number)
            yield family


def render(figures: Iterable[Figure]) -> bytes:
    """All that is counted, and these, in Prometheus's text format."""
    return generate_latest(_choose_registry()) + generate_latest(_Figures(figures))


def _choose_registry() -> CollectorRegistry:
    counted = CollectorRegistry()
    try:
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    except ValueError:  # no folder is shared: this process is the only one
        return REGISTRY
    return counted
