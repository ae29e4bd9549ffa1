"""create_app: the composition root, which knows everyone; the only reader of the environment."""

import os
import sys

from flask import Flask, Response, jsonify
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from panel import routes, services
from panel.cli import commands
from panel.data import db
from panel.services import get
from panel.settings import Settings, SettingsError, from_env
from panel.sync.dry_run import DryRun
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.pass_queue import PassQueue
from panel.sync.plugin_hooks import WrongProofs
from panel.sync.worker import Worker
from panel.web import assets, security_headers

LARGEST_FORM = 64 * 1024


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Faulty settings: every fault on standard error, exit code 2."""
    settings = settings or settings_or_exit()
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a wrong address is a 404, not a redirect
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_FORM
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    _build(settings, app)
    routes.register(app)
    commands.register(app)
    assets.register(app)
    security_headers.register(app, settings)
    app.register_error_handler(HTTPException, _explain)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        fixed = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # the documented way
    return app


def _build(settings: Settings, app: Flask) -> None:
    """The shared objects, which `panel.services.get` finds by their kind."""
    shared = services.build(settings, app)
    queue = PassQueue(shared.database)
    intake = Intake(shared.database, queue)
    worker, jobs = Worker(settings, queue), Jobs(shared, intake)
    services.register(app, shared, queue, intake, worker, jobs, DryRun(shared), WrongProofs())
    db.prepare(shared.database, lambda: _migrate(app))


def _migrate(app: Flask) -> None:
    db.migrate(get(services.Services, app).database)
    get(PassQueue, app).migrate()


def start_work(app: Flask) -> None:
    """Execute passes in this web process, when it is its turn (`PANEL_WORKER=inside`)."""
    if get(services.Services, app).settings.worker == "inside":
        jobs = get(Jobs, app)
        get(Worker, app).start(jobs.bring_in_line, jobs.run_nightly, jobs.warm)


def stop_work(app: Flask) -> None:
    """Let another process lead; a pass that is under way gets a few seconds."""
    get(Worker, app).stop()


def settings_or_exit() -> Settings:
    """Those of the environment; every fault on standard error, exit code 2."""
    try:
        return from_env(os.environ)
    except SettingsError as error:
        sys.stderr.write("The settings are not right:\n")
        sys.stderr.writelines(f"  - {fault}\n" for fault in error.faults)
        sys.exit(2)


def _explain(error: HTTPException) -> Response:
    code = error.name.lower().replace(" ", "_")
    answer = jsonify({"error": {"code": code, "detail": error.description or ""}})
    answer.status_code = error.code or 500
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer
