"""Security headers of every answer: the Content-Security-Policy, and which mounts are believed."""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

from panel.settings import Settings

# What is fetched is no page; opened as one, it could neither act nor be framed.
FRAGMENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
PROTECTIVE = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
# For the page alone: no script runs in any other answer, so nothing there could ask for a camera.
PERMISSIONS = "camera=(), microphone=(), geolocation=()"
MOUNT = re.compile(r"(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)+)?")


def register(app: Flask, settings: Settings) -> None:
    """Refuse mounts that no proxy of ours would name, and add the headers to every answer."""
    app.before_request(_refuse_strange_mounts)
    app.after_request(_make_header_adder(settings))


def _make_header_adder(settings: Settings) -> Callable[[Response], Response]:
    policy = lru_cache(maxsize=64)(partial(_make_policy, settings))  # every shell carries it

    def add_headers(answer: Response) -> Response:
        headers = answer.headers
        is_page = request.endpoint == "panel.shell" and answer.status_code == 200
        # No X-Frame-Options: it knows no list of origins; `frame-ancestors` says it better.
        headers.add("Content-Security-Policy", policy(_mount()) if is_page else FRAGMENT_POLICY)
        headers.extend(PROTECTIVE)
        if is_page:
            headers["Permissions-Policy"] = PERMISSIONS
        if "immutable" not in headers.get("Cache-Control", ""):
            headers["Cache-Control"] = "no-cache" if request.endpoint == "static" else "no-store"
        return answer

    return add_headers


def _make_policy(settings: Settings, mount: str) -> str:
    files = asked = "'self'"
    if mount:
        # 'self' would be all of Chatwoot's host, with every file that a visitor has uploaded. The
        # address as we know it too: a proxy may not pass the port on.
        told = settings.panel_url
        ours = dict.fromkeys((mount, told if _path(told) == _path(mount) else mount))
        files = " ".join(f"{address}/static/" for address in ours)
        asked = " ".join(f"{address}/" for address in ours)
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


def _path(url: str) -> str:
    return urlsplit(url).path


def _mount() -> str:
    """The address that we are mounted below; empty for a host of our own. Without a slash."""
    root = request.root_path.rstrip("/")
    return f"{request.scheme}://{request.host}{root}" if root else ""


def _refuse_strange_mounts() -> None:
    """It stands in pages and in the policy: what no proxy of ours would say is not repeated."""
    if not MOUNT.fullmatch(_mount()):
        abort(400)
