"""nginx, gunicorn and the files of the image together."""

import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET
from panel.serving.framing import LARGEST_BODY, LARGEST_WEBHOOK
from tests.conftest import seal_of, wait_until
from tests.deployed import CHAT, DEPLOY, OWN, ROOT, Mirror, Nginx, image, is_healthy, mirror, nginx
from tests.ports import free_port

__all__ = ["image", "mirror", "nginx"]  # fixtures


def test_the_healthcheck_of_the_image_sees_a_panel_and_its_absence(
    image: tuple[Path, int],
) -> None:
    folder, port = image
    assert is_healthy(folder, port)
    assert not is_healthy(folder, free_port())


def test_the_image_writes_nothing_beside_its_code(image: tuple[Path, int]) -> None:
    folder, port = image
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=30).ok
    paths = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {
        path for path in paths if not (ROOT / path).is_file() or "__pycache__" in path.parts
    } == set()


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
def test_a_panel_opens_through_nginx(nginx: Nginx, host: str, mount: str) -> None:
    """The launch key and the seal arrive; every address in the page lies under the mount."""
    assert nginx.ask("GET", f"{mount}/healthz", host).json() == {"status": "alive"}
    shell = nginx.ask("GET", f"{mount}/", host).text
    for address in re.findall(r'(?:src|href)="([^"]+)"', shell):
        assert address.startswith(f"{mount}/static/")
        assert nginx.ask("GET", address, host).status_code == 200
    key = {"Authorization": f"Bearer {derive_launch_key(SECRET)}"}
    hints = {"conversation": "101", "contact": "301", "account": "1", "agent_id": "2"}
    page = nginx.ask("POST", f"{mount}/contact", host, headers=key, data=hints)
    assert page.status_code == 200
    assert set(re.findall(r'hx-(?:get|post)="(/\w+)', page.text)) >= {mount or "/sections"}
    seal = {"Authorization": f"Bearer {seal_of(page.text)}"}
    assert nginx.ask("GET", f"{mount}/sections/orders", host, headers=seal).status_code == 200


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
def test_the_panel_is_told_the_way_that_a_request_really_came(
    mirror: Mirror, tmp_path: Path, host: str, mount: str
) -> None:
    names = ("For", "Proto", "Host", "Prefix")
    lies = {"Forwarded": "for=lie"} | {f"X-Forwarded-{name}": "lie" for name in names}
    request_headers = {"Host": host, "Authorization": "Bearer proof"}
    request_headers |= {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
    request_headers |= {"X-Forwarded-Host": host} | ({"X-Forwarded-Prefix": mount} if mount else {})
    with Nginx(tmp_path, mirror.port, mirror.port).running() as nginx:
        mounts = {"SCRIPT_NAME": "/lie", "PATH_INFO": "/lie"}
        headers = {**lies, **mounts, "Authorization": "Bearer proof"}
        text = nginx.ask("GET", f"{mount}/changes?seen=a:b", host, headers=headers).text
    line, *rest = text.splitlines()
    assert line == "GET /changes?seen=a:b HTTP/1.1"
    seen_headers = dict(line.split(": ", 1) for line in rest if ": " in line)
    way = {
        name: value
        for name, value in seen_headers.items()
        if name in request_headers or "orwarded" in name
    }
    assert not {"SCRIPT_NAME", "PATH_INFO"} & set(seen_headers)
    assert way == request_headers


@contextmanager
def deaf_machine() -> Iterator[int]:
    """A port where nobody answers, as of a machine that vanished: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as waiting:
        for _ in range(4):
            knock = waiting.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(deaf.getsockname())
        yield int(deaf.getsockname()[1])


def test_a_machine_that_vanished_costs_a_moment_and_no_request(
    mirror: Mirror, tmp_path: Path
) -> None:
    nginx = Nginx(tmp_path, mirror.port, mirror.port)
    conf = tmp_path / "conf.d" / "panel.conf"
    alive = f"server 127.0.0.1:{mirror.port};"
    with deaf_machine() as port:
        text = alive.replace(str(mirror.port), str(port))
        conf.write_text(conf.read_text().replace(alive, f"{text} {alive}", 1))
        with nginx.running():
            answers = [nginx.ask("POST", "/contact").status_code for _ in range(3)]
    assert answers == [200, 200, 200]


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
def test_what_a_client_says_about_its_way_is_not_believed(
    nginx: Nginx, host: str, mount: str
) -> None:
    lies = {"X-Forwarded-Prefix": "/elsewhere", "X-Forwarded-Host": "elsewhere.example"}
    assert "elsewhere" not in nginx.ask("GET", f"{mount}/", host, headers=lies).text
    answers = set()
    # All requests count for one address, whatever the header says: 429 after 20 wrong proofs.
    for number in range(25):
        where = f"203.0.113.{number}"
        lies = {"X-Forwarded-For": where, "X_Forwarded_For": where, "Forwarded": f"for={where}"}
        headers = {"Authorization": "Bearer wrong", "Content-Type": "application/json", **lies}
        answer = nginx.ask("POST", f"{mount}/sync/hooks", host, headers=headers, data=b"{}")
        answers.add(answer.status_code)
    assert 429 in answers


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
@pytest.mark.parametrize(("size", "status"), [(256, 202), (257, 413), (900, 413)])
def test_a_hook_of_256_kilobytes_passes_and_a_larger_one_is_refused(
    nginx: Nginx, host: str, mount: str, size: int, status: int
) -> None:
    hook = {"event": "no.kind.of.ours", "timestamp": "2026-05-04T14:30:00Z", "id": f"{host}{size}"}
    body = json.dumps(hook).encode().ljust(size * 1024)
    proof = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
    answer = nginx.ask("POST", f"{mount}/sync/hooks", host, headers=proof, data=body)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"  # the panel's own words


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
def test_a_webhook_of_chatwoot_may_be_as_large_as_the_panel_takes_it(
    nginx: Nginx, host: str, mount: str
) -> None:
    """401: the panel has read it, and no secret of its own made the signature."""
    signed = {"X-Chatwoot-Timestamp": "1", "X-Chatwoot-Signature": "sha256=00"}
    sizes = ((LARGEST_BODY + 1, 401), (LARGEST_WEBHOOK, 401), (LARGEST_WEBHOOK + 1, 413))
    for size, status in sizes:
        headers = {"Content-Type": "application/json", **signed}
        body = b" " * size
        answer = nginx.ask("POST", f"{mount}/sync/chatwoot", host, headers=headers, data=body)
        assert answer.status_code == status


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
@pytest.mark.parametrize("path", ["metrics", "readyz"])
def test_the_figures_are_not_public(
    nginx: Nginx, image: tuple[Path, int], host: str, mount: str, path: str
) -> None:
    proof = {"Authorization": f"Bearer {SECRET}"}
    for way in (f"{mount}/{path}", f"{mount}//{path}", f"{mount}/./{path}?a=b"):
        assert nginx.ask("GET", way, host, headers=proof).status_code == 404
    assert requests.get(f"http://127.0.0.1:{image[1]}/{path}", timeout=30).status_code == 200


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
def test_outside_the_hooks_nginx_keeps_no_more_of_a_body_than_a_form_has(
    nginx: Nginx, host: str, mount: str
) -> None:
    """A body that is posted without a proof, and dripped, stays in nginx's memory as long as it
    drips."""
    for size, status in ((60, {400, 403}), (65, {413})):
        answer = nginx.ask("POST", f"{mount}/contact", host, data=b"x=" * (size * 512))
        assert answer.status_code in status
        assert ("<center>nginx</center>" in answer.text) == (size > 64), "it has not passed it on"
    conf = "under-chatwoot.conf" if mount else "own-host.conf"
    for text in ((DEPLOY / "nginx" / name).read_text() for name in (conf, "compose.conf")):
        sizes = re.findall(r"location (\S+) {[^}]*client_body_buffer_size (\w+);", text)
        assert {size for path, size in sizes if "/sync/" not in path} == {"64k"}
        assert {size for path, size in sizes if "/sync/" in path} == {"1m"}


@pytest.mark.parametrize("is_away", [False, True])
def test_no_log_of_nginx_holds_what_was_searched_nor_a_proof(
    image: tuple[Path, int], tmp_path: Path, is_away: bool
) -> None:
    """While the panel is away, the error log names the cause and the requested address."""
    port = free_port() if is_away else image[1]
    proof = {"Authorization": "Bearer canary-of-a-proof"}
    with Nginx(tmp_path, port, port).running() as nginx:
        for host, mount in ((OWN, ""), (CHAT, "/panel")):
            nginx.ask("GET", f"{mount}/search?q=canary@acme.example", host, headers=proof)
            answer = nginx.ask("GET", f"{mount}/healthz", host, headers=proof)
            assert answer.status_code == (502 if is_away else 200)
        lines = (tmp_path / "panel.log").read_text
        wait_until(lambda: len(lines().splitlines()) == 4)
        errors = (tmp_path / "panel.error.log").read_text()
    assert ("/healthz" in errors and "connect() failed" in errors) == is_away
    assert "canary" not in errors + lines()
    assert len(re.findall(r"request=[0-9a-f]{32} upstream=127\.0\.0\.1:", lines())) == 4
    assert lines().count('"GET /search"') == lines().count('"GET /panel/search"') == 1


def test_an_nginx_in_front_tells_no_version_and_insists_on_https(nginx: Nginx) -> None:
    answer = nginx.ask("GET", "/healthz")
    assert answer.headers["Server"] == "nginx"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    plain = f"http://127.0.0.1:{nginx.plain}/contact?a=b"
    headers = {"Host": OWN}
    moved = requests.post(plain, headers=headers, allow_redirects=False, timeout=30)
    assert (moved.status_code, moved.headers["Location"]) == (308, f"https://{OWN}/contact?a=b")


def test_chatwoot_keeps_its_host_to_itself_but_for_the_mount(nginx: Nginx) -> None:
    text = nginx.ask("GET", "/app/login?x=1", CHAT, headers={"api_access_token": "theirs"}).text
    assert text.startswith("GET /app/login?x=1 HTTP/1.1")
    assert {
        "Host: chat.example.com",
        "X-Forwarded-Proto: https",
        "api_access_token: theirs",
    } <= set(text.splitlines())
    assert nginx.ask("GET", "/panel", CHAT).headers["Location"].endswith("/panel/")


def test_chatwoots_websocket_passes(nginx: Nginx) -> None:
    context = ssl.create_default_context(cafile=nginx.certificate)
    with (
        socket.create_connection(("127.0.0.1", nginx.tls), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        wire.sendall(
            b"GET /cable HTTP/1.1\r\nHost: chat.example.com\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n\r\n"
        )
        head = wire.recv(1000)
        assert head.startswith(b"HTTP/1.1 101 ")
        wire.sendall(b"hello")
        assert wire.recv(1000) == b"HELLO"
