"""Every route with its method and its handler: the table of contents of what clients may
request."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Blueprint, Flask

from panel.explain import page
from panel.sync import chatwoot_hooks, openapi, plugin_hooks
from panel.web import (
    actions,
    arrangement,
    assets,
    copies,
    csrf,
    health,
    panel,
    rendering,
    rows,
    sign_in,
    summaries,
    verify,
)

View = Callable[..., Any]
Route = tuple[str, str, str, View]  # method, path, endpoint (the name for `url_for`), handler

# An agent's browser asks for these. All but the page and its own words need a proof or a seal.
PANEL: tuple[Route, ...] = (
    ("GET", "/", "shell", panel.show_shell),
    ("GET", "/dialogs/<name>", "dialog", panel.show_dialog),
    ("POST", "/contact", "contact", panel.show_contact),
    ("GET", "/sections/<name>", "section", panel.show_section),
    ("POST", "/sections/<name>/refresh", "refresh", panel.refresh_section),
    ("GET", "/rows/<name>/<number>", "row", rows.show_row),
    ("POST", "/refresh", "refresh_all", panel.refresh_all),
    ("GET", "/attention", "attention", panel.show_attention),
    ("GET", "/changes", "changes", panel.show_changes),
    ("POST", "/links", "links", actions.decide),
    ("GET", "/search", "find", actions.search_organizations),
    ("POST", "/uncover", "uncover", actions.uncover_section),
    ("GET", "/summaries/<name>", "summary", summaries.show_summary),
    ("GET", "/copies/<section>/<int:record>", "copies", copies.show_copies),
    ("POST", "/notes", "notes", copies.write_note),
    ("POST", "/preferences", "preferences", arrangement.change_preferences),
    ("GET", "/verify", "verify_dialog", verify.show_dialog),
    ("POST", "/verify", "verify", verify.verify),
    ("GET", "/why", "why", page.show_reasons),
    ("POST", "/sign-in", "sign_in", sign_in.sign_in),
    ("POST", "/sign-out", "sign_out", sign_in.sign_out),
)
FILES: tuple[Route, ...] = (("GET", "/static/<path:name>", "static", assets.show_file),)
HOOKS: tuple[Route, ...] = (
    ("POST", "/sync/hooks", "plugin_hooks", plugin_hooks.receive_hook),
    ("POST", "/sync/chatwoot", "chatwoot_hooks", chatwoot_hooks.receive_webhook),
    ("GET", "/sync/openapi.json", "openapi", openapi.describe_hooks),
)
MACHINES: tuple[Route, ...] = (
    ("GET", "/healthz", "healthz", health.answer_alive),
    ("GET", "/readyz", "readyz", health.answer_ready),
    ("GET", "/metrics", "metrics", health.answer_metrics),
)


def register(app: Flask) -> None:
    """Register every route, and for the panel's routes the functions that run at each request."""
    pages = Blueprint("panel", __name__)
    pages.before_request(csrf.refuse_foreign_pages)
    rendering.register(pages)
    _add(pages, PANEL)
    app.register_blueprint(pages)
    _add(app, (*FILES, *HOOKS, *MACHINES))


def _add(target: Flask | Blueprint, routes: Iterable[Route]) -> None:
    for method, path, endpoint, view in routes:
        target.add_url_rule(path, endpoint, view, methods=[method])
