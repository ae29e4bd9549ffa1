"""create_app: the one room that knows everyone; the only reader of the environment."""

import os
import sys
from dataclasses import dataclass
from hashlib import blake2s
from pathlib import Path

from flask import Flask, Response, jsonify, request, send_from_directory
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from panel import actions, commands, drawing, health, services, views
from panel.services import Services
from panel.settings import Settings, SettingsError, from_env
from panel.sync import hooks, webhooks
from panel.sync.engine import Engine
from panel.sync.passes import Passes

LARGEST_FORM = 64 * 1024
YEAR = 365 * 86400
ROUTES = (views, actions)  # importing them hangs their routes onto `drawing.bp`


@dataclass(frozen=True)
class Panel(Services):
    """The shared objects and the engine of the writing wing, which the reading wing never sees."""

    sync: Engine
    passes: Passes


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Faulty settings: every fault on standard error, exit code 2."""
    settings = settings or settings_or_exit()
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a wrong address is a 404, not a redirect
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_FORM
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    panel = _panel(settings, app)
    app.extensions["panel"] = panel
    for blueprint in (drawing.bp, health.bp, hooks.bp, webhooks.bp):
        app.register_blueprint(blueprint)
    commands.register(app, panel, panel.sync, panel.passes)
    _serve_static(app)
    app.register_error_handler(HTTPException, _explain)
    app.after_request(_headers(settings))
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        fixed = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # the documented way
    return app


def _panel(settings: Settings, app: Flask) -> Panel:
    shared = services.build(settings, app)
    engine = Engine(settings, shared.engine)
    engine.migrate()
    return Panel(**vars(shared), sync=engine, passes=Passes(shared, engine))


def start_work(app: Flask) -> None:
    """Execute passes in this web process, when it is its turn (`PANEL_WORKER=inside`)."""
    panel: Panel = app.extensions["panel"]
    if panel.settings.worker == "inside":
        panel.sync.start(panel.passes.bring_in_line, panel.passes.daily, panel.passes.warm)


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


def _serve_static(app: Flask) -> None:
    folder = Path(app.root_path, "static")
    marks = {
        path.relative_to(folder).as_posix(): blake2s(path.read_bytes(), digest_size=6).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }

    @app.get("/static/<path:name>")
    def static(name: str) -> Response:
        answer = send_from_directory(folder, name, max_age=0)
        if name in marks and request.args.get("v") == marks[name]:
            answer.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return answer

    app.add_template_global(lambda name: app.url_for("static", name=name, v=marks[name]), "asset")


def _explain(error: HTTPException) -> Response:
    code = error.name.lower().replace(" ", "_")
    answer = jsonify({"error": {"code": code, "detail": error.description or ""}})
    answer.status_code = error.code or 500
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer


def _headers(settings: Settings):  # type: ignore[no-untyped-def]
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors " + " ".join(settings.frame_origins),
        )
    )

    def add(answer: Response) -> Response:
        # No X-Frame-Options: it knows no list of origins; `frame-ancestors` says it better.
        answer.headers["Content-Security-Policy"] = policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        if "immutable" not in answer.headers.get("Cache-Control", ""):
            static = request.path.startswith("/static/")
            answer.headers["Cache-Control"] = "no-cache" if static else "no-store"
        return answer

    return add
