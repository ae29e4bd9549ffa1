"""The table of health checks: the question of each, and whether it may be asked every few seconds.

`/readyz` shows the cheap ones.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from panel.cache.backend import list_folders
from panel.data import db, schema
from panel.data.delivery_log import ACCEPTED, AGENTS, CHATWOOT, PLUGIN, Tally
from panel.data.migrations.version import WrongSchema
from panel.data.obstacles import Obstacle, explain, find_obstacle, refuse_obstacles
from panel.deliveries import describe_deliveries, find_reason, find_standing_refusal, format_age
from panel.errors import PanelError, Unreachable
from panel.health import sync_checks
from panel.health.finding import Finding
from panel.services import Services
from panel.upstream.chatwoot_rejections import REMEDIES
from panel.upstream.failures import Trouble
from panel.upstream.middag_rejections import BACK_OFFICE_REMEDIES


@dataclass(frozen=True)
class Check:
    """`name` is public: monitoring reads it. `cheap`: the check asks neither of the outside worlds.

    `needs_database`: the check is not run while the database is away, so nobody waits for it twice.
    """

    name: str
    ask: Callable[[Services], Finding]
    cheap: bool = True
    needs_database: bool = False


def _ask_database(shared: Services) -> Finding:
    """Read and write: a file that can be read may be another user's, or on a full or read-only
    disk."""
    try:
        with db.transaction(shared.database) as connection:
            connection.scalar(select(1))
    except PanelError as error:
        return Finding("away", _tell_cause(error))
    try:
        shared.deliveries.prove_writable()
    except PanelError as error:
        return Finding("not_writable", explain(error, shared.database) or error.detail)
    try:
        # An open connection can go on using a file that nobody could open now.
        refuse_obstacles(shared.database)
    except Obstacle as obstacle:
        return Finding("not_writable", str(obstacle))
    return Finding("ok")


def _tell_cause(error: PanelError) -> str:
    """Return the driver's words, which name user and host, and never the password."""
    words = str(getattr(error.__cause__, "orig", "")).splitlines()
    return words[0] if words else error.detail


def _ask_schema(shared: Services) -> Finding:
    """`wrong`: another program has upgraded the database, or nobody has."""
    try:
        schema.require_current(shared.database)
    except WrongSchema as error:
        return Finding("wrong", str(error))
    except SQLAlchemyError as error:
        raise Unreachable("database") from error
    return Finding("ok")


def _ask_cache(shared: Services) -> Finding:
    if shared.cache.store.works():
        return Finding("ok")
    scheme, _, folder = shared.settings.cache_url.partition(":")
    folders = list_folders(Path(folder)) if scheme == "file" else []
    obstacles = [why for why in map(find_obstacle, folders) if why]
    return Finding("away", obstacles[0] if obstacles else shared.cache.store.last_trouble)


def _ask_back_office(shared: Services) -> Finding:
    trouble = shared.back_office.trouble
    remedy = BACK_OFFICE_REMEDIES.get(trouble.code, "") if trouble else ""
    return _judge_calls(shared.back_office.paused_until, trouble, remedy)


def _ask_documents(shared: Services) -> Finding:
    """The back office's documents that could not be read, and why."""
    unread = shared.back_office.unread.list_codes()
    words = ", ".join(f"{name}: {code}" for name, code in sorted(unread.items()))
    return Finding("unreadable", words) if words else Finding("ok")


def _ask_chatwoot(shared: Services) -> Finding:
    """Judge by this process's calls: a refusal stands until Chatwoot answers a call of its kind."""
    trouble = shared.chatwoot.trouble
    remedy = REMEDIES.get(trouble.code, "") if trouble else ""
    return _judge_calls(shared.chatwoot.paused_until, trouble, remedy)


def _judge_calls(paused_until: float, trouble: Trouble | None, remedy: str = "") -> Finding:
    if trouble is None:
        return Finding("paused" if paused_until else "ok")
    since, last = (format_age(time.time() - at) for at in (trouble.since, trouble.last_at))
    detail = f"{trouble.code}: {trouble.document}, first {since}, last {last}"
    return Finding("paused" if paused_until else trouble.code, f"{detail}. {remedy}".strip(". "))


def _ask_chatwoot_webhooks(shared: Services) -> Finding:
    tallies = shared.deliveries.read(CHATWOOT)
    if shared.settings.chatwoot_webhook_secret or find_standing_refusal(tallies):
        return _judge_deliveries(tallies, "never")
    words = f"no secret set; {describe_deliveries(tallies, time.time())}"
    # If no webhook ever came, the missing secret is a choice: nobody has registered a webhook.
    return Finding("no_secret" if tallies else "unused", words)


def _ask_plugin_hooks(shared: Services) -> Finding:
    return _judge_deliveries(shared.deliveries.read(PLUGIN), "unused")


def _ask_agents(shared: Services) -> Finding:
    """Judge whether agents get into the panel: their dashboard app's key and our address are
    right."""
    return _judge_deliveries(shared.deliveries.read(AGENTS), "unused")


def _judge_deliveries(tallies: Mapping[str, Tally], silent: str) -> Finding:
    """`silent`: the word where no delivery was ever accepted, and none refused for a reason that
    concerns later ones too."""
    words = describe_deliveries(tallies, time.time())
    if refusal := find_standing_refusal(tallies):
        return Finding("refused", f"{words}. {find_reason(refusal).advice}")
    return Finding("ok", f"ok, {words}") if ACCEPTED in tallies else Finding(silent, words)


CHECKS = (
    Check("database", _ask_database),
    Check("schema", _ask_schema, needs_database=True),
    Check("worker", sync_checks.ask_worker, needs_database=True),
    Check("waiting_hooks", sync_checks.ask_waiting_hooks, needs_database=True),
    Check("retries", sync_checks.ask_failing, needs_database=True),
    Check("buried", sync_checks.ask_buried, needs_database=True),
    Check("cache", _ask_cache),
    Check("back_office", _ask_back_office),
    Check("documents", _ask_documents),
    Check("chatwoot", _ask_chatwoot),
    Check("chatwoot_webhooks", _ask_chatwoot_webhooks, needs_database=True),
    Check("plugin_hooks", _ask_plugin_hooks, needs_database=True),
    Check("agents", _ask_agents, needs_database=True),
)
DELIVERY_CHECKS = {"chatwoot_webhooks": CHATWOOT, "plugin_hooks": PLUGIN}  # with their senders


def run_checks(
    shared: Services, *, cheap_only: bool, only: Collection[str] = ()
) -> dict[str, Finding]:
    """Return the finding of each check by its name. `only`: the checks to run; empty: all of
    them."""
    findings: dict[str, Finding] = {}
    for check in CHECKS:
        if (check.cheap or not cheap_only) and (not only or check.name in only):
            database = findings.get("database")
            findings[check.name] = _run_check(check, shared, database)
    return findings


def _run_check(check: Check, shared: Services, database: Finding | None) -> Finding:
    away = Finding("unknown", "the database is away")
    if check.needs_database and database and database.word == "away":
        return away
    try:
        return check.ask(shared)
    except PanelError:
        return away
