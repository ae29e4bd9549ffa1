"""The files of deploy/ put together: an image, a stand-in for Chatwoot, and nginx before both."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import Worlds, certify, environment, wait_until, worlds_on_sockets
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
OWN, CHAT = "panel.example.com", "chat.example.com"


def program(name: str) -> str:
    """Find a program; Debian keeps some off the PATH of ordinary users."""
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    return shutil.which(name, path=path) or pytest.skip(f"no {name} here (tests/machine.sh)")


def run(*command: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], check=False, capture_output=True, text=True, **more
    )


def dockerfile(word: str) -> list[str]:
    """Return the arguments of each such instruction, with continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^\s*{word}\s+(.*)$", text, re.MULTILINE)


def unpack_image(folder: Path) -> Path:
    """Make /srv/panel as the Dockerfile and its .dockerignore do."""
    folder.mkdir()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    for line in dockerfile("COPY"):
        if line.startswith("--from"):
            continue
        for name in line.split()[:-1]:
            assert f"!{name}" in ignored, f"{name} is not sent to the builder"
            if (ROOT / name).is_dir():
                left_out = shutil.ignore_patterns("__pycache__", "demo")
                shutil.copytree(ROOT / name, folder / name, ignore=left_out)
            else:
                shutil.copy(ROOT / name, folder)
    return folder


MAIN = """daemon off;
pid {folder}/nginx.pid;
{user}
events {{ }}
http {{
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include conf.d/*.conf;
}}
"""

# The folders of two examples; the others lie where a distribution includes all files, in
# alphabetical order.
FOLDERS = {"panel-proxy.conf": "snippets", "compose.conf": "."}


class Nginx:
    """The examples of deploy/nginx in a folder, with this machine's ports and files."""

    def __init__(self, folder: Path, panel: int, chatwoot: int) -> None:
        self.folder = folder
        self.plain, self.tls = free_port(), free_port()
        self._program = program("nginx")
        self._certify()
        blocks = {
            r"listen 80;": f"listen 127.0.0.1:{self.plain};",
            r"listen 443 ssl;": f"listen 127.0.0.1:{self.tls} ssl;",
            r"listen 127\.0\.0\.1:8081;": f"listen 127.0.0.1:{free_port()};",
            r"listen \[::\].*;": "",
            r"127\.0\.0\.1:8000|panel:8000": f"127.0.0.1:{panel}",
            r"127\.0\.0\.1:3000": f"127.0.0.1:{chatwoot}",
            r"(?<=\d) resolve(?=[ ;])|http2 on;": "",  # an older nginx lacks both
            r"/etc/nginx|/var/log/nginx|(?<= )/tmp(?=/)": str(folder),
            r"/dev/stdout": f"{folder}/panel.log",
        }
        for name in ("snippets", "conf.d"):
            (folder / name).mkdir()
        for path in (DEPLOY / "nginx").glob("*.conf"):
            text = path.read_text()
            for pattern, instead in blocks.items():
                text = re.sub(pattern, instead, text)
            (folder / FOLDERS.get(path.name, "conf.d") / path.name).write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "main.conf").write_text(MAIN.format(folder=folder, user=user))

    def _certify(self) -> None:
        folder = self.folder / "certificates"
        folder.mkdir()
        self.certificate, _ = certify(folder)

    def command(self, conf: str) -> list[str]:
        # `-e` keeps the lines out of the log of the machine's own nginx
        return [self._program, "-e", "stderr", "-p", str(self.folder), "-c", conf]

    @contextmanager
    def running(self) -> Iterator["Nginx"]:
        command = self.command(str(self.folder / "main.conf"))
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: _listens(self.tls), 20)
            yield self
        finally:
            process.terminate()
            process.wait(20)

    def ask(self, method: str, path: str, host: str = OWN, **options: Any) -> requests.Response:
        headers = {"Host": host, **options.pop("headers", {})}
        url = f"https://127.0.0.1:{self.tls}{path}"
        more: dict[str, Any] = {"verify": str(self.certificate), "allow_redirects": False}
        return requests.request(method, url, headers=headers, timeout=30, **more, **options)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


class Mirror:
    """Stands in for Chatwoot: answers with its request, and to a websocket in capitals."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
            head += more
        if b"upgrade: websocket" in head.lower():
            upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + b"\r\n")
            connection.sendall(connection.recv(1000).upper())
        else:
            length = f"Content-Length: {len(head)}\r\nConnection: close\r\n\r\n".encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + head)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def image_running(folder: Path, worlds: Worlds, listener: socket.socket) -> Iterator[Path]:
    """Run gunicorn as the Dockerfile starts it, from the image's files."""
    port = int(listener.getsockname()[1])
    image = unpack_image(folder / "image")
    state = folder / "state"
    state.mkdir()
    [command] = dockerfile("CMD")[-1:]
    settings = environment(worlds.office_url, worlds.chat_url, state, PANEL_TRUSTED_PROXIES="1")
    more = {"PATH": os.environ["PATH"], "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    bound = listener.fileno()
    start = [sys.executable, "-m", *json.loads(command), "--bind", f"fd://{bound}"]
    process = subprocess.Popen(start, cwd=image, env=settings | more, pass_fds=[bound])
    try:
        wait_until(lambda: is_healthy(image, port), 60)
        yield image
    finally:
        process.terminate()
        process.wait(30)


def is_healthy(image: Path, port: int) -> bool:
    """Tell whether the image's own HEALTHCHECK succeeds."""
    [check] = re.findall(r"CMD (\[.*\])", dockerfile("HEALTHCHECK")[0])
    # Docker sets such a proxy in every container if its client is configured so.
    env = {"PATH": os.environ["PATH"], "PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    return run(sys.executable, *json.loads(check)[1:], env=env, cwd=image).returncode == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("image")
    with (
        worlds_on_sockets() as worlds,
        socket.create_server(("127.0.0.1", 0)) as listener,
        image_running(folder, worlds, listener) as files,
    ):
        yield files, int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    with closing(Mirror()) as new_mirror:
        yield new_mirror


@pytest.fixture(scope="module")
def nginx(
    image: tuple[Path, int], mirror: Mirror, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx"), image[1], mirror.port).running() as new_nginx:
        yield new_nginx
