"""Examines the panel's own state: the same checks as `/readyz`, files, disk."""

import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from panel.checks import CHECKS, run_checks
from panel.data import schema
from panel.data.migrations.version import WrongSchema
from panel.data.obstacles import COMPANIONS
from panel.data.workers import Workers
from panel.doctor.diagnosis import FAULT, SKIPPED, WARNING, Diagnosis
from panel.health import journal
from panel.health.finding import Finding
from panel.services import Services

# These checks judge a process by its last calls. Doctor's own process has made no calls, so doctor
# has examinations of its own in place of these checks.
OF_A_PROCESS = {"back_office", "documents", "chatwoot"}
SHARED_CHECKS = [check.name for check in CHECKS if check.name not in OF_A_PROCESS]
# Words of findings with which the panel still works, for a while at least.
MILD = {"late", "retrying", "given_up", "no_secret", "never", "starting"}
FIXES = {
    "database": "docs/operate.md, Parts of /readyz that are not well",
    "schema": "start the panel where it is new; else put the file back, or start the version that "
    "it belongs to",
    "worker": "docs/operate.md, Parts of /readyz that are not well",
    "waiting_hooks": "`flask --app app sync status`: nobody executes, or passes fail",
    "retries": "`flask --app app sync status` says what to do",
    "buried": "`flask --app app sync buried`",
    "cache": "look at Redis, or at the folder, of PANEL_CACHE_URL",
    "chatwoot_webhooks": "docs/operate.md, Webhooks of Chatwoot do not work",
    "plugin_hooks": "compare the secret in the plugin with CHATWOOT_CONTACT_VIEW_SECRET",
    "agents": "PANEL_URL, the proxy's headers, or `flask --app app setup`",
}
LITTLE_ROOM, NO_ROOM = 500 * 1024**2, 50 * 1024**2  # bytes
MEGABYTE = 1024**2
FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def repeat_check(name: str) -> Callable[[Services], Iterable[Diagnosis]]:
    """Return the examination that repeats the check of this name."""

    def examine(shared: Services) -> Iterator[Diagnosis]:
        if name not in ("schema", "cache") and not has_database(shared):
            yield Diagnosis(SKIPPED, "there is no database that could be asked")
            return
        yield from _judge(name, run_checks(shared, cheap_only=True, only=(name,))[name])

    return examine


def _judge(name: str, finding: Finding) -> Iterator[Diagnosis]:
    if finding.is_fine:
        return
    state = WARNING if finding.word in MILD else FAULT
    state = SKIPPED if finding.word == "unknown" and "database is away" in finding.detail else state
    cause = f"{finding.word}: {finding.detail}" if finding.detail else finding.word
    yield Diagnosis(state, cause, FIXES.get(name, "docs/operate.md"))


def has_database(shared: Services) -> bool:
    """Tell whether the database exists, without opening it: that would make a missing file. A
    server counts as existing."""
    file = _find_file(shared)
    return file is None or file.exists()


def _find_file(shared: Services) -> Path | None:
    engine = shared.database
    return Path(str(engine.url.database)) if engine.dialect.name == "sqlite" else None


def examine_origin(shared: Services) -> Iterator[Diagnosis]:
    """Examine whether any process works with this database; otherwise it is the wrong one, or
    brand-new."""
    if not has_database(shared):
        return
    try:
        schema.require_current(shared.database)
    except WrongSchema:
        return  # the check of the schema reports the missing database
    if journal.has_lost_hooks(shared):
        yield Diagnosis(
            WARNING,
            "hooks that were accepted today are not in the database, as after an older backup was "
            "restored",
            "`flask --app app sync backfill` with the ids of all organizations (docs/operate.md, "
            "Restore); a day later nothing tells of it any more",
        )
    workers, _ = Workers(shared.database).list_rows()
    if not workers and not shared.directory.list_organizations():
        where = _find_file(shared) or shared.database.url.database
        yield Diagnosis(
            WARNING,
            f"nobody has worked with the database {where} so far: is it the service's?",
            "compare PANEL_DATABASE_URL with the service's environment; a new one: start the panel",
        )


def examine_files(shared: Services) -> Iterator[Diagnosis]:
    """Examine the files' modes: they hold names and addresses, and only their owner may read
    them."""
    file = _find_file(shared)
    files = [Path(f"{file}{path}") for path in COMPANIONS] if file else []
    for path in files:
        if path.exists() and (mode := path.stat().st_mode) & FOR_OTHERS:
            cause = f"{path} can be reached by other users ({stat.filemode(mode)})"
            yield Diagnosis(WARNING, cause, f"chmod 600 {path}")


def examine_disk(shared: Services) -> Iterator[Diagnosis]:
    scheme, _, folder = shared.settings.cache_url.partition(":")
    folders = [Path(folder)] if scheme == "file" else []
    folders += [file.parent] if (file := _find_file(shared)) else []
    for path in folders:
        if path.exists() and (free := shutil.disk_usage(path).free) < LITTLE_ROOM:
            state = FAULT if free < NO_ROOM else WARNING
            cause = f"{free // MEGABYTE} MB are left on the disk of {path}"
            yield Diagnosis(state, cause, "make room there")
