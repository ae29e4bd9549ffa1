"""Security headers of every answer: the Content-Security-Policy, and which mounts are believed."""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

from panel.settings import Settings

# A fetched fragment is no page: opened as one, it can neither run a script nor be framed.
FRAGMENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
PROTECTIVE = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
# Only the page has this header: no script runs in any other answer, so nothing there could ask for
# a camera.
PERMISSIONS = "camera=(), microphone=(), geolocation=()"
MOUNT = re.compile(r"(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)+)?")


def register(app: Flask, settings: Settings) -> None:
    """Refuse mounts that no proxy of ours would name, and add the headers to every answer."""
    app.before_request(_refuse_strange_mounts)
    app.after_request(_make_header_adder(settings))


def _make_header_adder(settings: Settings) -> Callable[[Response], Response]:
    # Remembered, because every shell carries the policy.
    policy = lru_cache(maxsize=64)(partial(_make_policy, settings))

    def add_headers(answer: Response) -> Response:
        headers = answer.headers
        is_page = request.endpoint == "panel.shell" and answer.status_code == 200
        # X-Frame-Options is left out, since it allows no list of origins; `frame-ancestors` does.
        headers.add("Content-Security-Policy", policy(_mount()) if is_page else FRAGMENT_POLICY)
        headers.extend(PROTECTIVE)
        if is_page:
            headers["Permissions-Policy"] = PERMISSIONS
        if "immutable" not in headers.get("Cache-Control", ""):
            headers["Cache-Control"] = "no-cache" if request.endpoint == "static" else "no-store"
        return answer

    return add_headers


def _make_policy(settings: Settings, mount: str) -> str:
    files = addresses = "'self'"
    if mount:
        # The source 'self' would allow all of Chatwoot's host, with every file that a visitor has
        # uploaded. The address in our settings is allowed too: a proxy may not pass the port on.
        panel_url = settings.panel_url
        ours = dict.fromkeys((mount, panel_url if _path(panel_url) == _path(mount) else mount))
        files = " ".join(f"{address}/static/" for address in ours)
        addresses = " ".join(f"{address}/" for address in ours)
    parts = (
        "default-src 'none'",
        f"script-src {files}",
        f"style-src {files}",
        f"img-src {files}",
        f"connect-src {addresses}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors " + " ".join(settings.frame_origins),
    )
    return "; ".join(parts)


def _path(url: str) -> str:
    return urlsplit(url).path


def _mount() -> str:
    """Return the path that we are mounted below, without a slash; empty for a host of our own."""
    root = request.root_path.rstrip("/")
    return f"{request.scheme}://{request.host}{root}" if root else ""


def _refuse_strange_mounts() -> None:
    """Refuse a mount that no proxy of ours would send: it is written into pages and policy."""
    if not MOUNT.fullmatch(_mount()):
        abort(400)
