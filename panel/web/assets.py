"""Static files, compressed once and cached for ever, and compression of every HTML answer."""

import gzip
import json
import logging
import mimetypes
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2s
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import zopfli.gzip  # type: ignore[import-untyped]
from flask import Flask, Response, abort, request
from jinja2.ext import Extension
from werkzeug.http import parse_accept_header

from panel import services
from panel.web.bundle import bundle

SCRIPT, REST_SCRIPT = "panel.js", "rest.js"  # the two scripts that browsers get
MODULES = "js/"  # the folder of the modules that both are made from
HTMX = "vendor/htmx-4.0.1.min.js"
YEAR = 365 * 86400
SHELL, SECTION = "panel.shell", "panel.section"  # endpoints of answers that agents share
WORTH_BYTES = 500  # a smaller body fits into one packet uncompressed
# Compressors in the order of preference. Of each pair, the quick one is for answers, and the
# thorough one for files, which stay the same.
PACKERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    # For answers the window is 32 kB, as gzip's. Few answers are longer, and a smaller window takes
    # 0.3 MB of memory instead of 1.4.
    "br": (lambda plain: brotli.compress(plain, quality=5, lgwin=15), brotli.compress),
    "gzip": (lambda plain: gzip.compress(plain, 5, mtime=0), zopfli.gzip.compress),
}
# Our own files are sent without comments, spaces and long names, which only readers of the
# repository need. The minifier is a program written in Go. In a web process it would hold 8 MB and
# five threads, and hang in each fork of gunicorn's. A process of its own runs it for a tenth of a
# second. Without it a cold opening would weigh 5 kB more, and miss the bound of
# `tests/web/test_weight.py`.
# In a style it leaves nested rules and those of `@container` as they are written. No string there
# holds what is shortened.
MINIFY = r"""
import json, re, sys, minify
def shorten(kind, text):
    text = minify.string(kind, text)
    if kind != "text/css": return text
    return re.sub(r"\s*([{};,>])\s*", r"\1", text).replace(": ", ":").replace(";}", "}")
print(json.dumps([shorten(kind, text) for kind, text in json.load(sys.stdin)]))
"""
MINIFY_SECONDS = 20
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asset:
    """A file of `static/`. `mark`: a digest of its bytes, which stands in its address; `packed`:
    the compressed bytes, by encoding."""

    mark: str
    kind: str
    plain: bytes
    packed: dict[str, bytes]


class Unindented(Extension):
    """Strip the indentation of templates as they are read, so that no answer carries it."""

    def preprocess(
        self,
        source: str,
        name: str | None,  # noqa: ARG002 (Jinja's signature)
        filename: str | None = None,  # noqa: ARG002 (the same)
    ) -> str:
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE)


class StaticFiles:
    """The files of `static/`. Minifying and compressing them takes a third of a second. So they are
    prepared when the first one is requested, because commands show no page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def by_name(self) -> dict[str, Asset]:
        return _read_assets(self._folder)


def register(app: Flask) -> None:
    """Give templates `asset(name)`, and compress the HTML of every route."""
    files = StaticFiles(Path(app.root_path, "static"))
    services.register(app, files)

    def address(name: str) -> str:
        return app.url_for("static", name=name, v=files.by_name[name].mark)

    app.jinja_env.add_extension(Unindented)
    app.add_template_global(address, "asset")
    app.after_request(compress_answer)


def prepare_files(app: Flask) -> None:
    """Compress the files now, for a server: the first page does not wait for it."""
    _ = services.get(StaticFiles, app).by_name


def show_file(name: str) -> Response:
    """Serve one of our files; browsers keep it for ever where the address names its digest."""
    assets = services.get(StaticFiles).by_name
    return _answer_file(assets[name] if name in assets else abort(404))


def _read_assets(folder: Path) -> dict[str, Asset]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    files[SCRIPT], files[REST_SCRIPT] = _take_scripts(files)
    # Without the files of `vendor/`.
    ours = {name: plain for name, plain in files.items() if "/" not in name}
    minified = minify(tuple((_guess_kind(name), plain.decode()) for name, plain in ours.items()))
    files |= dict(zip(ours, minified, strict=True))
    # Our script comes first: it takes the launch key out of the address before htmx starts. A
    # single file of both is smaller than two.
    files[SCRIPT] += b"\n" + files[HTMX]
    return {name: _make_asset(_guess_kind(name), plain) for name, plain in files.items()}


def _take_scripts(files: dict[str, bytes]) -> list[bytes]:
    """Move our modules out of `files` into two scripts: browsers never ask for them."""
    paths = [name for name in files if name.startswith(MODULES)]
    scripts = bundle({Path(name).name: files.pop(name).decode() for name in paths})
    return [script.encode() for script in scripts]


def _guess_kind(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "text/plain"


@lru_cache(maxsize=1)
def minify(files: tuple[tuple[str, str], ...]) -> list[bytes]:
    """Return the texts of `(kind, text)` minified; unchanged where the library is missing."""
    command = [sys.executable, "-c", MINIFY]
    try:
        process = subprocess.run(  # noqa: S603 (our own words)
            command,
            input=json.dumps(files).encode(),
            capture_output=True,
            check=True,
            timeout=MINIFY_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = (getattr(error, "stderr", b"") or b"").decode().splitlines()[-1:]
        log.warning("our files leave as they are written: %s %s", error, why)
        return [text.encode() for _, text in files]
    return [text.encode() for text in json.loads(process.stdout)]


def _make_asset(kind: str, plain: bytes) -> Asset:
    mark = blake2s(plain, digest_size=6).hexdigest()
    return Asset(mark, kind, plain, _pack(plain))


@lru_cache(maxsize=32)
def _pack(plain: bytes) -> dict[str, bytes]:
    """The best compression is the slowest, so each file is compressed once for a process."""
    return {name: best(plain) for name, (_, best) in PACKERS.items()}


def _answer_file(asset: Asset) -> Response:
    encoding = _choose_encoding()
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


def compress_answer(answer: Response) -> Response:
    """Compress the HTML of an answer where the browser accepts it.

    Compressed lengths betray secrets (BREACH) to an attacker who can have the same answer made
    again and again. Our answers are safe: they need a header or an `Origin` that no foreign page
    can send, and each has a new seal.
    """
    if answer.mimetype != "text/html" or answer.status_code == 204:
        return answer
    plain, encoding = answer.get_data(), _choose_encoding()
    if len(plain) > WORTH_BYTES and encoding:
        answer.set_data(_compress(plain, encoding, request.endpoint or ""))
        answer.content_encoding = encoding
    return answer


def _compress(plain: bytes, encoding: str, endpoint: str) -> bytes:
    """The shell is the same for all agents of a language, and a section is the same within a
    second; each other answer is made for one agent."""
    quickly, _ = PACKERS[encoding]
    if endpoint == SHELL:
        return _pack(plain)[encoding]
    if endpoint != SECTION:
        return quickly(plain)
    cache = services.services().compressed
    packed = cache.get((encoding, plain))
    if packed is None:
        packed = quickly(plain)
        cache.put((encoding, plain), packed, time.time() + 1)
    return packed


def _choose_encoding() -> str:
    """Return the encoding that the browser prefers among ours; empty for none of them."""
    return _prefer_encoding(request.headers.get("Accept-Encoding", ""))


@lru_cache(maxsize=64)  # browsers send the same few headers
def _prefer_encoding(encodings: str) -> str:
    offered = parse_accept_header(encodings)
    accepted = {name: offered.quality(name) for name in PACKERS}
    best = max(accepted, key=lambda name: accepted[name])
    return best if accepted[best] > 0 else ""
