"""What leaves small: our files, compressed once and kept for ever, and the HTML of every answer."""

import gzip
import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2s
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import zopfli.gzip  # type: ignore[import-untyped]
from flask import Flask, Response, abort, request
from jinja2.ext import Extension
from rjsmin import jsmin  # type: ignore[import-untyped]

YEAR = 365 * 86400
WORTH_BYTES = 500  # what is smaller fits into one packet as it is
# The first that the browser takes: at once for an answer, thoroughly for what stays the same.
PACKERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    # An answer's window is 32 kB, as gzip's: few are longer, and 0.3 MB do for it instead of 1.4.
    "br": (lambda plain: brotli.compress(plain, quality=5, lgwin=15), brotli.compress),
    "gzip": (lambda plain: gzip.compress(plain, 5, mtime=0), zopfli.gzip.compress),
}
# Our own files leave without what only their readers in the repository need: comments and spaces.
_STYLE = re.compile(rb"\s*/\*.*?\*/\s*|(?<=[{}:;,>])\s+|\s+(?=[{}>])|;\s*(?=})", re.DOTALL)
UNREAD: dict[str, Callable[[bytes], bytes]] = {
    ".js": jsmin,
    ".css": lambda style: _STYLE.sub(b"", style),
}


@dataclass(frozen=True)
class Asset:
    """A file of `static/`. `mark`: a digest of its bytes, in its address; `packed` by encoding."""

    mark: str
    kind: str
    plain: bytes
    packed: dict[str, bytes]


class Unindented(Extension):
    """Templates are read without their indentation, so no answer holds it."""

    def preprocess(
        self,
        source: str,
        name: str | None,  # noqa: ARG002 (Jinja's signature)
        filename: str | None = None,  # noqa: ARG002 (the same)
    ) -> str:
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE)


def register(app: Flask) -> None:
    """`/static/<name>`, `asset(name)` for templates, and compressed HTML from every route."""
    assets = _assets(Path(app.root_path, "static"))

    @app.get("/static/<path:name>")
    def static(name: str) -> Response:
        return _answer(assets[name] if name in assets else abort(404))

    def address(name: str) -> str:
        return app.url_for("static", name=name, v=assets[name].mark)

    app.jinja_env.add_extension(Unindented)
    app.add_template_global(address, "asset")
    app.after_request(shrink)


def _assets(folder: Path) -> dict[str, Asset]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: _asset(path) for name, path in files.items() if path.is_file()}


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    if path.parent.name == "static" and path.suffix in UNREAD:
        plain = UNREAD[path.suffix](plain)
    mark = blake2s(plain, digest_size=6).hexdigest()
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    return Asset(mark, kind, plain, _packed(plain))


@lru_cache(maxsize=32)
def _packed(plain: bytes) -> dict[str, bytes]:
    """Once for a process: the best is the slowest."""
    return {name: best(plain) for name, (_, best) in PACKERS.items()}


def _answer(asset: Asset) -> Response:
    encoding = _encoding()
    answer = Response(asset.packed.get(encoding, asset.plain), mimetype=asset.kind)
    answer.vary.add("Accept-Encoding")
    if encoding:
        answer.content_encoding = encoding
    if request.args.get("v") == asset.mark:
        answer.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return answer
    answer.set_etag(f"{asset.mark}{encoding}")
    answer.make_conditional(request)
    return answer


def shrink(answer: Response) -> Response:
    """The HTML of an answer, compressed where the browser takes that.

    Compressed lengths betray secrets (BREACH) only to who can have the same answer made again and
    again: ours need a header or an `Origin` that no foreign page can send, and each has a new seal.
    """
    if answer.mimetype != "text/html" or answer.status_code == 204:
        return answer
    plain, encoding = answer.get_data(), _encoding()
    if len(plain) > WORTH_BYTES and encoding:
        quickly, _ = PACKERS[encoding]
        same = request.endpoint == "panel.shell"  # for everyone of a language
        answer.set_data(_packed(plain)[encoding] if same else quickly(plain))
        answer.content_encoding = encoding
    return answer


def _encoding() -> str:
    """What the browser likes best of what we speak; empty for none."""
    accepted = {name: request.accept_encodings.quality(name) for name in PACKERS}
    best = max(accepted, key=lambda name: accepted[name])
    return best if accepted[best] > 0 else ""
