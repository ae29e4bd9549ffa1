"""create_app: the one room that knows everyone; the only reader of the environment."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from panel import services
from panel.cli import commands
from panel.data import db
from panel.data.migrations.version import WrongSchema
from panel.services import Services
from panel.settings import Settings, SettingsError, from_env
from panel.sync import chatwoot_hooks, plugin_hooks
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.worker import Worker
from panel.web import actions, assets, health, panel, rendering, sign_in

LARGEST_FORM = 64 * 1024
# What is fetched is no page; opened as one, it could neither act nor be framed.
FETCHED = "default-src 'none'; frame-ancestors 'none'"
PROTECTIVE = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
]
MOUNT = re.compile(r"(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)+)?")
ROUTES = (panel, actions, sign_in)  # importing them hangs their routes onto `drawing.bp`


@dataclass(frozen=True)
class Panel(Services):
    """The shared objects and the engine of the writing wing, which the reading wing never sees."""

    sync: Worker
    passes: Jobs
    preparation: db.Preparation


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Faulty settings: every fault on standard error, exit code 2.

    The database is not touched before `start_work` or the first request, whichever comes first:
    commands use the application too, and must not upgrade anything.
    """
    settings = settings or settings_or_exit()
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a wrong address is a 404, not a redirect
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_FORM
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    panel = _panel(settings, app)
    app.extensions["panel"] = panel
    for blueprint in (rendering.bp, health.bp, plugin_hooks.bp, chatwoot_hooks.bp):
        app.register_blueprint(blueprint)
    commands.register(app, panel, panel.sync, panel.passes)
    assets.register(app)
    app.before_request(partial(_prepare_database, panel))
    app.before_request(_refuse_strange_mounts)
    app.register_error_handler(HTTPException, _explain)
    app.after_request(_headers(settings))
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        fixed = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # the documented way
    return app


def _panel(settings: Settings, app: Flask) -> Panel:
    shared = services.build(settings, app)
    engine = Worker(settings, shared.database)
    preparation = db.Preparation(shared.database, engine.migrate)
    return Panel(**vars(shared), sync=engine, passes=Jobs(shared, engine), preparation=preparation)


def _prepare_database(panel: Panel) -> None:
    """For servers that call `create_app` alone; after `start_work` it is done."""
    try:
        panel.preparation.ensure()
    except WrongSchema as error:
        db.end_process(error)
        abort(503)


def start_work(app: Flask) -> None:
    """Upgrade the database, and execute passes here when it is our turn (`PANEL_WORKER=inside`).

    A database that has left us behind: one sentence on standard error, exit code 2.
    """
    panel: Panel = app.extensions["panel"]
    with _exit_when_refused():
        panel.preparation.ensure()
    if panel.settings.worker == "inside":
        panel.sync.start(panel.passes.bring_in_line, panel.passes.run_nightly, panel.passes.warm)


def stop_work(app: Flask) -> None:
    """Give the lease back; a pass that is under way gets a few seconds."""
    panel: Panel = app.extensions["panel"]
    panel.sync.stop()


def settings_or_exit() -> Settings:
    """Those of the environment; every fault on standard error, exit code 2."""
    try:
        return from_env(os.environ)
    except SettingsError as error:
        sys.stderr.write("The settings are not right:\n")
        sys.stderr.writelines(f"  - {fault}\n" for fault in error.faults)
        sys.exit(2)


def migrate_or_exit() -> None:
    """Upgrade the database before workers are forked; one that is away is left to them.

    A database that has left us behind: one sentence on standard error, exit code 2.
    """
    database = db.connect(settings_or_exit().database_url)
    with _exit_when_refused():
        db.migrate_if_there(database, Intake(database).migrate)


def refuse_newer_or_exit() -> None:
    """Exit code 2 when the database has left us behind meanwhile; else nothing is done."""
    database = db.connect(settings_or_exit().database_url)
    with _exit_when_refused(), suppress(SQLAlchemyError):  # away: whoever uses it says so
        db.refuse_newer(database)


@contextmanager
def _exit_when_refused() -> Iterator[None]:
    try:
        yield
    except WrongSchema as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def _explain(error: HTTPException) -> Response:
    code = error.name.lower().replace(" ", "_")
    answer = jsonify({"error": {"code": code, "detail": error.description or ""}})
    answer.status_code = error.code or 500
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer


def _path(url: str) -> str:
    return urlsplit(url).path


def _policy(settings: Settings, mount: str) -> str:
    files = asked = "'self'"
    if mount:
        # 'self' would be all of Chatwoot's host, with every file that a visitor has uploaded. The
        # address as we know it too: a proxy may not pass the port on.
        told = settings.panel_url
        ours = dict.fromkeys((mount, told if _path(told) == _path(mount) else mount))
        files, asked = (" ".join(f"{one}/{path}" for one in ours) for path in ("static/", ""))
    parts = (
        "default-src 'none'",
        f"script-src {files}",
        f"style-src {files}",
        f"img-src {files}",
        f"connect-src {asked}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors " + " ".join(settings.frame_origins),
    )
    return "; ".join(parts)


def _mount() -> str:
    """The address that we are mounted below; empty for a host of our own. Without a slash."""
    root = request.root_path.rstrip("/")
    return f"{request.scheme}://{request.host}{root}" if root else ""


def _refuse_strange_mounts() -> None:
    """It stands in pages and in the policy: what no proxy of ours would say is not repeated."""
    if not MOUNT.fullmatch(_mount()):
        abort(400)


def _headers(settings: Settings):  # type: ignore[no-untyped-def]
    policy = lru_cache(maxsize=64)(partial(_policy, settings))  # every shell carries it

    def add(answer: Response) -> Response:
        headers = answer.headers
        is_page = request.endpoint == "panel.shell" and answer.status_code == 200
        # No X-Frame-Options: it knows no list of origins; `frame-ancestors` says it better.
        headers.add("Content-Security-Policy", policy(_mount()) if is_page else FETCHED)
        headers.extend(PROTECTIVE)
        if "immutable" not in headers.get("Cache-Control", ""):
            headers["Cache-Control"] = "no-cache" if request.endpoint == "static" else "no-store"
        return answer

    return add
