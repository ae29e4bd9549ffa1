"""create_app: the composition root, which builds all parts; the only reader of the environment."""

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import click
from flask import Flask, Response, abort, jsonify
from jinja2 import StrictUndefined
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from panel import routes, services
from panel.auth.tokens import SHARED_SECRET
from panel.bulkhead import USUAL_THREADS
from panel.cache.backend import list_folders
from panel.cli import commands, console
from panel.cli.doctor import examine_outside
from panel.data import db, ownership, schema
from panel.data.migrations.version import WrongSchema
from panel.data.obstacles import Obstacle, explain, refuse_obstacles
from panel.data.readings import Readings
from panel.environment.variables import VARIABLES
from panel.logs import formatter
from panel.logs.events import LogThrottle
from panel.services import get
from panel.settings import Settings, SettingsError, from_env
from panel.sync.chatwoot_events import EventReader
from panel.sync.dry_run import DryRun
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.news import News
from panel.sync.pass_queue import PassQueue
from panel.sync.plugin_hooks import WrongProofs
from panel.sync.task_intake import TaskIntake
from panel.sync.worker import Worker
from panel.web import assets, request_ids, request_metrics, security_headers
from panel.web.watch import HealthWatch

log = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
# The folder of templates/ and static/: in a wheel beside this file, in a checkout one folder up.
ROOT = HERE if (HERE / "templates").is_dir() else HERE.parent
LARGEST_FORM = 64 * 1024


def create_app(settings: Settings | None = None) -> Flask:
    """Make the WSGI application. Faulty settings, or files of ours that cannot be written, end the
    process: each fault on standard error, exit code 2.

    The database is not touched before `start_work` or the first request, whichever comes first.
    Commands use the application too, and must not upgrade anything.
    """
    settings = settings or _prepare_process()
    app = Flask("panel", root_path=str(ROOT), static_folder=None)
    app.url_map.merge_slashes = False  # a wrong address is a 404, not a redirect
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_FORM
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    with _exit_when_refused(db.connect(settings.database_url)):
        _build(settings, app)
    request_ids.register(app, settings)
    database = get(services.Services, app).database
    app.before_request(partial(_prepare_database, get(schema.Preparation, app), database))
    routes.register(app)
    request_metrics.register(app)
    commands.register(app)
    assets.register(app)
    security_headers.register(app, settings)
    app.register_error_handler(HTTPException, _explain)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        fixed = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # the documented way
    return app


def run_console() -> None:
    """The console script `middag-panel`."""
    console.run_console(create_app, hand_settings_over)


def hand_settings_over() -> None:
    """Hand the settings of this process to the running server, which may not read root's files.

    The command is the `ExecReload` of a unit: systemd reads the unit's `EnvironmentFile` anew for
    it, while the server keeps the environment of its start. Faulty settings: exit code 2, and the
    server goes on with its own.
    """
    settings_or_exit()
    folder, server = os.environ.get("RUNTIME_DIRECTORY", ""), os.environ.get("MAINPID", "")
    if not folder or not server.isdecimal():
        _exit("This is for the ExecReload of systemd, which sets RUNTIME_DIRECTORY and MAINPID.")
    os.umask(0o077)
    values = {variable.name: os.environ.get(variable.name) for variable in VARIABLES}
    file = Path(folder, "settings.json")  # `gunicorn.conf.py` reads it
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(values), encoding="utf-8")
    fresh.replace(file)
    os.kill(int(server), signal.SIGHUP)


def _prepare_process() -> Settings:
    """Prepare a process that runs the panel alone; returns the settings of the environment."""
    os.umask(0o077)  # what we write holds names and addresses: other users may not read it
    formatter.configure()
    settings = settings_or_exit()
    if click.get_current_context(silent=True):  # a command's process, not a server's
        ownership.become_owner(_find_state_folder(settings))
    return settings


def _build(settings: Settings, app: Flask) -> None:
    """Build the shared objects, which `panel.services.get` finds by their class."""
    shared = services.build(settings, app)
    queue = PassQueue(shared.database)
    intake = Intake(shared.database)
    shared.back_office.on_read = News(shared.directory, Readings(shared.database)).note
    worker, jobs = Worker(settings, queue), Jobs(shared, intake)
    services.register(app, shared, queue, intake, worker, jobs, DryRun(shared))
    services.register(app, TaskIntake(shared.database), WrongProofs(), LogThrottle())
    watch = HealthWatch(examine_outside)
    services.register(app, EventReader(shared.directory, shared.links), watch)
    preparation = schema.Preparation(shared.database, partial(_migrate, shared.database, queue))
    services.register(app, preparation)


def _migrate(database: Engine, queue: PassQueue) -> None:
    schema.migrate(database)
    queue.migrate()


def _prepare_database(preparation: schema.Preparation, database: Engine) -> None:
    """Upgrade the database for servers that call `create_app` alone: `start_work` upgrades it,
    too."""
    try:
        preparation.ensure()
    except (WrongSchema, OSError, SQLAlchemyError) as error:
        schema.end_process(explain(error, database) or str(error))
        abort(503)


def start_work(app: Flask, threads: int = USUAL_THREADS) -> None:
    """Upgrade the database, and execute passes here when it is our turn (`PANEL_WORKER=inside`).

    `threads`: how many serve requests; most of them may wait for the outside worlds. A database
    whose schema is too new for this program: one sentence on standard error, exit code 2.
    """
    shared = get(services.Services, app)
    with _exit_when_refused(shared.database):
        get(schema.Preparation, app).ensure()
    assets.prepare_files(app)
    shared.bulkhead.resize(threads)
    settings = shared.settings
    _warn_of_unnamed_proxies(settings)
    if settings.worker == "inside":
        get(Worker, app).start_work(get(Jobs, app).work)
    get(HealthWatch, app).start(app)


def _warn_of_unnamed_proxies(settings: Settings) -> None:
    """Warn of a proxy that the settings do not name. Gunicorn speaks no https here, so an https
    address needs a proxy. Until the settings count the proxy, all clients seem to have its address,
    or any address that they invent."""
    reasons = {
        f"{settings.agent_proof} needs https": settings.agent_proof != SHARED_SECRET,
        "PANEL_URL is https": settings.panel_url.startswith("https:"),
    }
    causes = [why for why, holds in reasons.items() if holds]
    if causes and not settings.trusted_proxies:
        log.warning(
            "PANEL_TRUSTED_PROXIES is 0, but %s, hence a proxy: name how many there are. All "
            "clients share its address, so wrong proofs of strangers count against everybody, or "
            "by what anybody says of their address",
            " and ".join(causes),
        )


def stop_work(app: Flask) -> None:
    """Let another process lead; a pass that is under way gets a few seconds."""
    get(HealthWatch, app).stop()
    get(Worker, app).stop()
    get(services.Services, app).deliveries.stop()


def settings_or_exit() -> Settings:
    """Return the settings of the environment. Faults end the process: each on standard error, exit
    code 2."""
    try:
        return from_env(os.environ)
    except SettingsError as error:
        sys.stderr.write("The settings are not right:\n")
        sys.stderr.writelines(f"  - {fault}\n" for fault in error.faults)
        sys.exit(2)


def migrate_or_exit() -> None:
    """Upgrade the database before workers are forked; a database that is away is left to them.

    A database whose schema is too new for this program, or files of ours that cannot be written:
    one sentence on standard error, exit code 2.
    """
    settings = settings_or_exit()
    database = db.connect(settings.database_url)
    with _exit_when_refused(database):
        refuse_obstacles(database, *_list_folders(settings))
        schema.migrate_if_there(database, partial(_migrate, database, PassQueue(database)))


def refuse_newer_or_exit() -> None:
    """Exit with code 2 when the database's schema has become too new for this program meanwhile."""
    database = db.connect(settings_or_exit().database_url)
    with suppress(SQLAlchemyError, OSError):  # its next user reports a database that is away
        try:
            schema.refuse_newer(database)
        except WrongSchema as error:
            _exit(str(error))


def _list_folders(settings: Settings) -> list[Path]:
    scheme, _, folder = settings.cache_url.partition(":")
    return list_folders(Path(folder)) if scheme == "file" else []


def _find_state_folder(settings: Settings) -> Path | None:
    """Return the folder of the database if that is a file, else the folder of the cache; None if
    both are servers."""
    scheme, _, database = settings.database_url.partition("///")
    folders = [Path(database).parent] if scheme == "sqlite:" else _list_folders(settings)
    return next(iter(folders), None)


@contextmanager
def _exit_when_refused(database: Engine) -> Iterator[None]:
    """End the process over an obstacle that an administrator has to remove: one sentence, exit code
    2."""
    try:
        yield
    except (WrongSchema, Obstacle) as error:
        _exit(str(error))
    except (OSError, SQLAlchemyError) as error:
        _exit(explain(error, database) or f"This cannot start: {type(error).__name__}.")
    except Exception as error:
        log.exception("this cannot start")
        _exit(f"This cannot start: {type(error).__name__}. The line above is for its developers.")


def _exit(sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    sys.exit(2)


def _explain(error: HTTPException) -> Response:
    code = error.name.lower().replace(" ", "_")
    answer = jsonify({"error": {"code": code, "detail": error.description or ""}})
    answer.status_code = error.code or 500
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer
