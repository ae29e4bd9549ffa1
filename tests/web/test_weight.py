"""The bytes on the wire: compressed, sent once, and few; counted on the socket."""

import gzip
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import brotli  # type: ignore[import-untyped]
import pytest

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET
from panel.web.assets import HTMX, WORTH_BYTES, minify
from panel.web.bundle import bundle
from panel.web.sections import SECTIONS
from tests.conftest import Panel, Worlds, environment, seal_of, worlds_on_sockets
from tests.test_processes import gunicorn

# The bytes of a cold open's nine answers: of their bodies, and with every header, as HTTP/1.1
# writes them out. htmx by itself would be 12,001 and 12,944 of them. Over HTTP/2 nginx writes 0.7
# of the headers' bytes: it shortens each (Huffman), and never refers to one that it sent before.
COLD_OPEN_BYTES = {"br": (26_100, 29_700), "gzip": (28_500, 32_200)}
CHROMIUM = "gzip, deflate, br, zstd"
# How much of a source is left, and the names that other files use: a script's strings, the
# properties and classes of a style.
KNOWN = {".js": (0.5, r'"([^"\\\n]+)"'), ".css": (0.82, r"--[a-z-]+|\.[a-z][a-z-]*")}


@dataclass
class Answer:
    """An answer; `received` counts every byte of it, status line and headers too."""

    status: int
    headers: dict[str, str]
    body: bytes
    received: int

    @property
    def text(self) -> str:
        unpack = {"gzip": gzip.decompress, "br": brotli.decompress}
        encoding = self.headers.get("content-encoding", "")
        return (unpack[encoding](self.body) if encoding else self.body).decode()


@dataclass
class Wire:
    """A browser's connection to a server, byte by byte."""

    url: str
    encodings: str = CHROMIUM
    received: int = 0
    bodies: int = 0
    asked: list[str] = field(default_factory=list)

    def ask(self, path: str, form: dict[str, object] | None = None, bearer: str = "") -> Answer:
        host = urlsplit(self.url)
        body = urlencode(form).encode() if form else b""
        lines = [f"{'POST' if form else 'GET'} {path} HTTP/1.1", f"Host: {host.netloc}"]
        lines += [f"Accept-Encoding: {self.encodings}", "Connection: close"]
        lines += [f"Authorization: Bearer {bearer}"] * bool(bearer)
        lines += ["Content-Type: application/x-www-form-urlencoded"] * bool(form)
        lines += [f"Content-Length: {len(body)}", "", ""]
        with socket.create_connection((host.hostname or "", host.port or 80), 30) as wire:
            wire.sendall("\r\n".join(lines).encode() + body)
            raw = b"".join(iter(lambda: wire.recv(65536), b""))
        self.received += len(raw)
        self.bodies += len(raw.partition(b"\r\n\r\n")[2])
        self.asked.append(path)
        head, _, rest = raw.partition(b"\r\n\r\n")
        first, *more = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in more)}
        return Answer(int(first.split()[1]), headers, rest, len(raw))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Worlds]]:
    folder = tmp_path_factory.mktemp("weight")
    with worlds_on_sockets() as worlds:
        environ = environment(worlds.office_url, worlds.chat_url, folder)
        with gunicorn(environ) as panel:
            yield panel.url, worlds


@pytest.mark.parametrize("encoding", COLD_OPEN_BYTES)
def test_a_whole_cold_open_is_light(standing: Panel, tmp_path: Path, encoding: str) -> None:
    with worlds_on_sockets() as worlds:
        environ = environment(worlds.office_url, worlds.chat_url, tmp_path)
        with gunicorn(environ) as panel:
            wire = cold_open(Wire(panel.url, encoding), standing.hints("healthy"))
    whole = f"with {encoding}: {wire.bodies} bytes of bodies, {wire.received} with headers"
    print(whole)  # noqa: T201
    bodies, received = COLD_OPEN_BYTES[encoding]
    assert wire.bodies <= bodies, whole
    assert wire.received <= received, whole


def cold_open(wire: Wire, hints: dict[str, object]) -> Wire:
    """Make the requests of a browser until a panel that nobody has opened before is complete."""
    shell = wire.ask("/").text
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', shell):
        assert wire.ask(address).headers["content-encoding"] == wire.encodings
    page = wire.ask("/contact", hints, derive_launch_key(SECRET)).text
    loading = re.findall(r'data-section="(\w+)" data-state="loading"', page)
    assert loading == list(SECTIONS)
    for name in loading:
        assert 'data-state="fresh"' in wire.ask(f"/sections/{name}", bearer=seal_of(page)).text
    assert "data-rule" in wire.ask("/attention", bearer=seal_of(page)).text
    assert len(wire.asked) == 9
    return wire


def test_our_files_are_kept_for_ever_and_come_as_the_browser_can_read_them(
    served: tuple[str, Worlds],
) -> None:
    shell = Wire(served[0]).ask("/").text
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', shell)
    assert len(addresses) == 2
    rest = re.findall(r'content="(/static/[^"]+)"', shell)
    assert len(rest) == 2
    for address in (*addresses, *rest):
        packed, plain = Wire(served[0]).ask(address), Wire(served[0], "identity").ask(address)
        for answer in (packed, plain):
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in plain.headers
        assert packed.text.encode() == plain.body
        if "/panel.js" in address:
            assert plain.body.endswith(b"\n" + Path("static", HTMX).read_bytes())
        assert packed.received < plain.received / 2


@pytest.mark.parametrize(
    ("encodings", "packed"),
    [
        ("gzip", "gzip"),
        (CHROMIUM, "br"),
        ("br;q=0.5, gzip;q=0.8, *;q=0.1", "gzip"),
        ("br;q=0, gzip;q=0.8", "gzip"),
        ("*", "br"),
        ("gzip;q=0", None),
        ("identity", None),
        ("zstd", None),
        ("", None),
    ],
)
def test_html_is_compressed_for_who_takes_it(
    served: tuple[str, Worlds], encodings: str, packed: str | None
) -> None:
    answer = Wire(served[0], encodings).ask("/")
    assert answer.headers.get("content-encoding") == packed
    assert "no-store" in answer.headers["cache-control"]  # so no cache keeps it for another browser
    assert "</html>" in answer.text
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_nothing_but_html_and_our_files_is_compressed(served: tuple[str, Worlds]) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/sections/orders", "/sync/hooks", "/nowhere"):
        answer = Wire(served[0]).ask(path)
        assert "content-encoding" not in answer.headers, path


def test_what_fits_into_a_packet_is_left_as_it_is(standing: Panel) -> None:
    with standing.app.test_request_context("/", headers={"Accept-Encoding": "gzip"}):
        for size, packed in ((WORTH_BYTES, False), (WORTH_BYTES + 1, True)):
            answer = standing.app.process_response(standing.app.make_response("x" * size))
            assert (answer.content_encoding == "gzip") is packed


def test_two_answers_to_the_same_question_are_not_the_same_bytes(standing: Panel) -> None:
    """Each answer carries another seal, so compressed lengths betray no secret (see
    `assets.compress_answer`)."""
    seals = {seal_of(standing.open(scenario).text) for scenario in ("healthy", "empty", "two")}
    assert len(seals) == 3


@pytest.mark.parametrize("name", ["panel.js", "rest.js", "panel.css", "rest.css"])
def test_our_own_files_leave_without_what_only_people_read(
    served: tuple[str, Worlds], name: str
) -> None:
    text = Wire(served[0], "identity").ask(f"/static/{name}").text
    text = text.removesuffix(Path("static", HTMX).read_text())
    source, (share, foreign_names) = read_source(name), KNOWN[Path(name).suffix]
    assert len(text) < share * len(source)
    if name.endswith(".css"):
        assert not re.search(r"\n|[:{};] |;}", text)
    uncommented = re.sub(r"(?m)//.*$|/\*[^*]*\*/", "", source)
    names = set(re.findall(foreign_names, uncommented))
    assert len(names) > 30
    assert [name for name in names if name not in text] == []


def read_source(name: str) -> str:
    scripts = bundle({path.name: path.read_text() for path in Path("static/js").iterdir()})
    sources = dict(zip(("panel.js", "rest.js"), scripts, strict=True))
    return sources.get(name) or Path("static", name).read_text()


@pytest.mark.parametrize("python", ["/nowhere/python", "false"])
def test_without_the_minifier_our_files_leave_as_they_are_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, python: str
) -> None:
    files = (("text/javascript", "let  spaced;"), ("text/css", f"p {{ content: '{python}' }}"))
    monkeypatch.setattr(sys, "executable", shutil.which(python) or python)
    assert [plain.decode() for plain in minify(files)] == [text for _, text in files]
    assert "as they are written" in caplog.text


def test_no_other_runtime_lives_in_a_web_process(standing: Panel) -> None:
    """Go's runtime hangs after a fork, and gunicorn's first process loads our modules before it
    forks."""
    assert standing.ask("GET", "/").ok
    assert "minify" not in sys.modules
    assert "minify.so" not in Path("/proc/self/maps").read_text()


def test_an_answer_holds_no_indentation(standing: Panel) -> None:
    shell, page = standing.ask("GET", "/").text, standing.open().text
    for html in (shell, page, standing.section("orders", seal_of(page)).text):
        assert not re.findall(r"^[ \t]", html, re.MULTILINE)
