"""The figures that a process counts: one table of all of them, for Prometheus.

The only importer of `prometheus_client`. A label has few values, none of them an id or a name. A
series starts at 0 with the process (`start_series`). If it began with its first event, an alert on
its growth would miss that event.

Where gunicorn forks several processes, they count into files of one folder, which
PROMETHEUS_MULTIPROC_DIR names to the library (gunicorn.conf.py). Every process then answers for all
of them.
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

# No alert needs the time at which a series began, and each series would get a line for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

M = TypeVar("M", bound=MetricWrapperBase)
CONTENT_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
PASS_BUCKETS = (0.5, 1, 2.5, 5, 10, 30, 60, 120)

# -- what agents, the plugin and Chatwoot ask of us ------------------------------------------------

REQUEST_OUTCOMES = ("answered", "refused", "failed")  # status below 400, below 500, any other
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

# `hit`, `late`: a kept copy was shown. `shared`: the reader waited for another reader's fetch.
# `busy`: that fetch took too long, or no thread was left to wait.
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
# The codes that are usual for a host in trouble; the series of others begin with their first event.
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
    """Start a series at 0 for every combination of these values of the labels, in the labels'
    order."""
    for combination in product(*values):
        metric.labels(*combination)


@lru_cache(maxsize=4096)
def find_series(metric: M, *labels: str) -> M:
    """Like `metric.labels`, but remembered: every request counts, and that call takes longer."""
    return metric.labels(*labels)


def start_upstream_series(host: str, documents: Iterable[str], codes: Iterable[str]) -> None:
    """Start the series of a host that is asked for these documents; `codes`: its own refusals."""
    names = tuple(documents)
    start_series(CALL_SECONDS, [host], names, CALL_OUTCOMES)
    start_series(CALLS, [host], ("ok", "paused", *USUAL_TROUBLES, *codes))
    start_series(FAILURES, [host], names, USUAL_TROUBLES)
    start_series(PAUSED_UNTIL, [host])
    start_series(BUDGET_WAITS, [host])


@contextmanager
def timing(metric: Histogram, well: str, failed: str) -> Iterator[None]:
    """Observe how long the block takes, under the outcome `well`, or `failed` where it raises."""
    started_at, outcome = time.perf_counter(), failed
    try:
        yield
        outcome = well
    finally:
        metric.labels(outcome).observe(time.perf_counter() - started_at)


@dataclass(frozen=True)
class Figure:
    """A figure that is read at each scrape. `values`: a number for each value of the label; without
    a label, a single number for ""."""

    name: str
    words: str
    values: Mapping[str, float]
    label: str = ""


class _Figures:
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for figure in self._figures:
            labels = [figure.label] if figure.label else []
            family = GaugeMetricFamily(figure.name, figure.words, labels=labels)
            for value, number in figure.values.items():
                family.add_metric([value] if labels else [], number)
            yield family


def render(figures: Iterable[Figure]) -> bytes:
    """Return all counted series and these figures in Prometheus's text format."""
    return generate_latest(_choose_registry()) + generate_latest(_Figures(figures))


def _choose_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # no folder is shared: this process is the only one
        return REGISTRY
    return registry
