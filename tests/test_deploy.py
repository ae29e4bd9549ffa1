"""What stands in deploy/: each file before its own parser, and nginx before the image's files."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET
from panel.settings import VARIABLES, SettingsError, from_env
from panel.sync.chatwoot_hooks import LARGEST
from tests.conftest import Worlds, certify, environment, seal_of, wait_until, worlds_on_sockets
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PANELS = ["panel-a", "panel-b"]
NAMES = {variable.name for variable in VARIABLES}
OF_COMPOSE = {"POSTGRES_PASSWORD"}
OF_A_SERVICE = {
    "PANEL_CACHE_URL": "file:/var/lib/panel/cache",
    "PANEL_DATABASE_URL": "sqlite:////var/lib/panel/panel.db",
}
REQUIRED = {variable.name for variable in VARIABLES if variable.default is None}
OWN, CHAT = "panel.example.com", "chat.example.com"
EXPOSURE = 15  # tenths, of 100: what `systemd-analyze security` may find at most


def program(name: str) -> str:
    """Its path; Debian keeps some off the PATH of ordinary users."""
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    return shutil.which(name, path=path) or pytest.skip(f"no {name} here (tests/machine.sh)")


def run(*command: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], check=False, capture_output=True, text=True, **more
    )


# -- the settings ------------------------------------------------------------------------------


def example() -> dict[str, str]:
    """Every line of the example with a name, whether it is commented out or not."""
    lines = (DEPLOY / "panel.env.example").read_text().splitlines()
    return dict(re.fullmatch(r"#?([A-Z_]+)=(.*)", line).groups() for line in lines if _sets(line))  # type: ignore[union-attr,misc]


def _sets(line: str) -> bool:
    return bool(re.match(r"#?[A-Z_]+=", line))


def test_the_example_names_every_setting_with_its_default_and_no_other() -> None:
    defaults = {variable.name: variable.default or "" for variable in VARIABLES}
    assert example() == defaults | OF_A_SERVICE | dict.fromkeys(OF_COMPOSE, "")


def test_the_example_asks_for_what_is_required_and_for_nothing_else() -> None:
    lines = (DEPLOY / "panel.env.example").read_text().splitlines()
    asked = {line.partition("=")[0] for line in lines if _sets(line) and not line.startswith("#")}
    assert asked == REQUIRED | OF_COMPOSE | set(OF_A_SERVICE)
    with pytest.raises(SettingsError) as error:
        from_env(example())
    assert {fault.split()[0] for fault in error.value.faults} == REQUIRED


def filled() -> dict[str, str]:
    """What an administrator fills in."""
    told = environment("https://account.example.com", "https://chat.example.com", Path("/nowhere"))
    return {**example(), **{name: told[name] for name in REQUIRED}}


@pytest.mark.parametrize("name", [*PANELS, "worker"])
def test_compose_gives_the_panel_settings_that_it_understands(name: str) -> None:
    given = SERVICES[name]["environment"]
    assert set(given) <= NAMES
    password = re.compile(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}")
    told = {key: password.sub("letters0and9digits", text) for key, text in given.items()}
    settings = from_env(filled() | told)
    assert settings.worker == "separate"
    assert settings.trusted_proxies == 1
    assert (settings.cache_url, settings.database_url) == (
        "redis://valkey:6379/0",
        "postgresql://panel:letters0and9digits@postgres:5432/panel",
    )


@pytest.mark.parametrize("unit", ["panel", "panel-worker"])
def test_the_units_give_the_panel_settings_that_it_understands(unit: str) -> None:
    text = (DEPLOY / f"systemd/{unit}.service").read_text()
    given = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
    assert given.pop("PYTHONDONTWRITEBYTECODE") == "1"
    assert given == {}  # what only a unit knew, a command would not know
    assert "EnvironmentFile=/etc/panel/panel.env" in text
    [folder] = re.findall(r"^StateDirectory=(\w+)$", text, re.MULTILINE)
    settings = from_env(filled())
    assert settings.database_url == f"sqlite:////var/lib/{folder}/panel.db"
    assert settings.cache_url == f"file:/var/lib/{folder}/cache"


# -- compose and the image ---------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_can_write_or_gain_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user", "panel") not in {"root", "0"}
    assert "ports" not in service or name == "nginx"


def test_nginx_finds_two_panels_under_one_name_and_waits_for_both() -> None:
    """Two services, not two replicas: compose replaces all replicas at once."""
    assert [name for name in SERVICES if name.startswith("panel")] == PANELS
    for name in PANELS:
        assert SERVICES[name]["networks"]["outside"]["aliases"] == ["panel"]
        # Anything more (`restart`) would end nginx each time that one of them is replaced.
        assert SERVICES["nginx"]["depends_on"][name] == {"condition": "service_healthy"}
    assert (
        "server panel:8000 resolve fail_timeout=1s;" in (DEPLOY / "nginx/compose.conf").read_text()
    )


def test_nobody_asks_a_registry_for_the_image_that_is_built_here() -> None:
    ours = [name for name in SERVICES if SERVICES[name]["image"] == "middag-contact-panel"]
    assert ours == [*PANELS, "worker"]
    assert [name for name in ours if "build" in SERVICES[name]] == ["panel-a"]
    assert {SERVICES[name]["pull_policy"] for name in ours if name != "panel-a"} == {"never"}


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_gets_the_time_that_gunicorn_gives_a_request(name: str) -> None:
    file = ROOT / "gunicorn.conf.py"
    given: dict[str, Any] = {"__file__": str(file)}
    exec(file.read_text(), given)
    assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) > given["graceful_timeout"] + 5
    [alive] = re.findall(r"keepalive_timeout (\d+)s", (DEPLOY / "nginx/panel.conf").read_text())
    assert int(alive) < given["keepalive"]


def dockerfile(word: str) -> list[str]:
    """What stands behind each such instruction, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^\s*{word}\s+(.*)$", text, re.MULTILINE)


def unpack_image(folder: Path) -> Path:
    """/srv/panel as the Dockerfile and its .dockerignore make it."""
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


# -- their own parsers -------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["panel", "panel-worker"])
def test_systemd_accepts_the_unit_and_finds_it_closed(unit: str, tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    text = (DEPLOY / f"systemd/{unit}.service").read_text()
    assert text.count("/opt/panel/.venv/bin/") == 1
    text = text.replace("/opt/panel/.venv", sys.prefix).replace("/opt/panel", str(ROOT))
    path = tmp_path / f"{unit}.service"
    path.write_text(text)
    verified = run(analyze, "verify", path)
    assert (verified.returncode, verified.stderr) == (0, "")
    closed = run(analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", path)
    assert closed.returncode == 0, closed.stdout + closed.stderr


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


# Of the examples; the others lie where a distribution includes all files, in alphabetical order.
FOLDERS = {"panel-proxy.conf": "snippets", "compose.conf": "."}


class Nginx:
    """The examples of deploy/nginx in a folder, with this machine's ports and files."""

    def __init__(self, folder: Path, panel: int, chatwoot: int) -> None:
        self.folder = folder
        self.plain, self.tls = free_port(), free_port()
        self._program = program("nginx")
        self._certify()
        here = {
            r"listen 80;": f"listen 127.0.0.1:{self.plain};",
            r"listen 443 ssl;": f"listen 127.0.0.1:{self.tls} ssl;",
            r"listen 127\.0\.0\.1:8081;": f"listen 127.0.0.1:{free_port()};",
            r"listen \[::\].*;": "",
            r"127\.0\.0\.1:8000|panel:8000": f"127.0.0.1:{panel}",
            r"127\.0\.0\.1:3000": f"127.0.0.1:{chatwoot}",
            r"(?<=\d) resolve(?=[ ;])|http2 on;": "",  # an older nginx knows neither
            r"/etc/nginx|/var/log/nginx|(?<= )/tmp(?=/)": str(folder),
            r"/dev/stdout": f"{folder}/panel.log",
        }
        for name in ("snippets", "conf.d"):
            (folder / name).mkdir()
        for path in (DEPLOY / "nginx").glob("*.conf"):
            text = path.read_text()
            for pattern, instead in here.items():
                text = re.sub(pattern, instead, text)
            (folder / FOLDERS.get(path.name, "conf.d") / path.name).write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "main.conf").write_text(MAIN.format(folder=folder, user=user))

    def _certify(self) -> None:
        folder = self.folder / "certificates"
        folder.mkdir()
        self.certificate, _ = certify(folder)

    def command(self, conf: str) -> list[str]:
        # `-e`: not into the log of an nginx that belongs to the machine
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


@pytest.mark.parametrize("conf", ["main.conf", "compose.conf"])
def test_nginx_accepts_the_examples(conf: str, tmp_path: Path) -> None:
    nginx = Nginx(tmp_path, 8000, 3000)
    tested = run(*nginx.command(str(tmp_path / conf)), "-t")
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr.replace('the "user" directive', "")


# -- nginx, gunicorn and the files of the image together -----------------------------------------


class Mirror:
    """Stands where Chatwoot would: tells what it was sent, answers a websocket in capitals."""

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
    """gunicorn as the Dockerfile starts it, from the files that the image holds."""
    port = int(listener.getsockname()[1])
    image = unpack_image(folder / "image")
    state = folder / "state"
    state.mkdir()
    [command] = dockerfile("CMD")[-1:]
    told = environment(worlds.office_url, worlds.chat_url, state, PANEL_TRUSTED_PROXIES="1")
    more = {"PATH": os.environ["PATH"], "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    bound = listener.fileno()
    start = [sys.executable, "-m", *json.loads(command), "--bind", f"fd://{bound}"]
    process = subprocess.Popen(start, cwd=image, env=told | more, pass_fds=[bound])
    try:
        wait_until(lambda: _healthy(image, port), 60)
        yield image
    finally:
        process.terminate()
        process.wait(30)


def _healthy(image: Path, port: int) -> bool:
    """What the image's own HEALTHCHECK says."""
    [check] = re.findall(r"CMD (\[.*\])", dockerfile("HEALTHCHECK")[0])
    # A proxy as Docker puts it into every container, when its client is told of one.
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
    with closing(Mirror()) as made:
        yield made


@pytest.fixture(scope="module")
def nginx(
    image: tuple[Path, int], mirror: Mirror, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx"), image[1], mirror.port).running() as made:
        yield made


def test_the_healthcheck_of_the_image_sees_a_panel_and_its_absence(
    image: tuple[Path, int],
) -> None:
    folder, port = image
    assert _healthy(folder, port)
    assert not _healthy(folder, free_port())


def test_the_image_writes_nothing_beside_its_code(image: tuple[Path, int]) -> None:
    folder, port = image
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=30).ok
    sent = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {
        path for path in sent if not (ROOT / path).is_file() or "__pycache__" in path.parts
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
    told = {"Host": host, "Authorization": "Bearer proof"}
    told |= {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
    told |= {"X-Forwarded-Host": host} | ({"X-Forwarded-Prefix": mount} if mount else {})
    with Nginx(tmp_path, mirror.port, mirror.port).running() as nginx:
        mounts = {"SCRIPT_NAME": "/lie", "PATH_INFO": "/lie"}
        headers = {**lies, **mounts, "Authorization": "Bearer proof"}
        sent = nginx.ask("GET", f"{mount}/changes?seen=a:b", host, headers=headers).text
    line, *rest = sent.splitlines()
    assert line == "GET /changes?seen=a:b HTTP/1.1"
    found = dict(each.split(": ", 1) for each in rest if ": " in each)
    way = {name: value for name, value in found.items() if name in told or "orwarded" in name}
    assert not {"SCRIPT_NAME", "PATH_INFO"} & set(found)
    assert way == told


@contextmanager
def deaf_machine() -> Iterator[int]:
    """A port where nobody answers, as that of a machine that vanished: its queue is full."""
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
        gone = alive.replace(str(mirror.port), str(port))
        conf.write_text(conf.read_text().replace(alive, f"{gone} {alive}", 1))
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
    for number in range(25):  # one address, whatever it says: 429 after 20 wrong proofs
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
    for size, status in ((LARGEST, 401), (LARGEST + 1, 413)):  # 401: nobody signed it
        json = {"Content-Type": "application/json"}
        answer = nginx.ask("POST", f"{mount}/sync/chatwoot", host, headers=json, data=b" " * size)
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


# What a browser takes for a path below the mount, and what else means the same to some server.
ESCAPES = [
    "/panel/static/..%2f..%2frails/x.js",
    "/panel/..%2Fapi/v1/profile",
    "/panel/..%5capi",
    "/panel/.%2e/api",
    "/panel/%2e%2e/api",
    "/panel/../api",
    "/panel/static/../../api",
    "/panel%2f..%2fapi",
    "/%70anel/..%2fapi",
    "/pan%65l/static/..%2f..%2fapi",
    "//panel/..%2fapi",
    "/panel/..\\api",
    "/panel/..%2fcable",
    "/panel/..%2f?a=b",
    "/api/..%2fpanel/",
    "/api/../panel/",
    "/panel/x%2f..",
]


def ask_raw(nginx: Nginx, path: str, host: str, **headers: str) -> tuple[int, str]:
    """The path as it is written here: clients of HTTP mend what they send."""
    context = ssl.create_default_context(cafile=nginx.certificate)
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{told}Connection: close\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", nginx.tls), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        wire.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: wire.recv(65536), b"")).decode()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("path", ESCAPES)
def test_an_encoded_slash_leads_nobody_out_of_the_mount(nginx: Nginx, path: str) -> None:
    """Neither to Chatwoot, whose host it is (the mirror would tell), nor elsewhere in the panel."""
    status, answer = ask_raw(nginx, path, CHAT)
    assert status == 404, answer
    assert "GET /" not in answer


@pytest.mark.parametrize("path", ["/static/..%2fhealthz", "/x/.%2e/healthz", "/x/../healthz"])
def test_a_host_of_our_own_knows_no_encoded_slash_either(nginx: Nginx, path: str) -> None:
    status, answer = ask_raw(nginx, path, OWN)
    assert (status, "X-Panel" in answer) == (404, False)


@pytest.mark.parametrize(
    "path", ["/panelists", "/app/x%2Fy?to=/panel/..%2f", "/panel-x/..%2fy", "/rails/a%2f..%2fb"]
)
def test_what_is_chatwoots_goes_to_chatwoot_as_it_is_written(nginx: Nginx, path: str) -> None:
    status, answer = ask_raw(nginx, path, CHAT)
    assert status == 200
    assert f"GET {path} HTTP/1.1" in answer


def test_a_query_may_hold_a_slash(nginx: Nginx, image: tuple[Path, int]) -> None:
    for mount, host in (("", OWN), ("/panel", CHAT)):
        status, answer = ask_raw(nginx, f"{mount}/changes?seen=a%2fb/../c", host)
        assert (status, "seal_invalid" in answer) == (401, True)


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "Script-Name", "script_name"])
@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
def test_no_client_says_where_the_panel_is_mounted(
    nginx: Nginx, host: str, mount: str, name: str
) -> None:
    """Else `/x/metrics` would pass the rule that hides `/metrics`."""
    for path in ("/x/metrics", "/x/healthz"):
        assert ask_raw(nginx, f"{mount}{path}", host, **{name: f"{mount}/x"})[0] == 404
        assert ask_raw(nginx, f"{mount}{path}", host, **{name: "/x"})[0] == 404
    status, answer = ask_raw(nginx, f"{mount}/healthz", host, **{name: "/metrics"})
    assert (status, "alive" in answer) == (200, True)


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO"])
def test_gunicorn_itself_believes_nobody_about_its_mount(
    image: tuple[Path, int], name: str
) -> None:
    """Who comes from loopback is a proxy, which passes on what its client sends."""
    address = f"http://127.0.0.1:{image[1]}"
    lie = {name: "/x"}
    assert requests.get(f"{address}/x/healthz", headers=lie, timeout=30).status_code == 404
    assert requests.get(f"{address}/healthz", headers=lie, timeout=30).json()["status"] == "alive"
    assert "/x/static" not in requests.get(f"{address}/", headers=lie, timeout=30).text


@pytest.mark.parametrize(("host", "mount"), [(OWN, ""), (CHAT, "/panel")])
def test_outside_the_hooks_nginx_keeps_no_more_of_a_body_than_a_form_has(
    nginx: Nginx, host: str, mount: str
) -> None:
    """What is posted without a proof, and dripped, lies in nginx's memory as long as it drips."""
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
    """Where the panel is away, the error log says why, with the address that was asked for."""
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
    sent = nginx.ask("GET", "/app/login?x=1", CHAT, headers={"api_access_token": "theirs"}).text
    assert sent.startswith("GET /app/login?x=1 HTTP/1.1")
    assert {
        "Host: chat.example.com",
        "X-Forwarded-Proto: https",
        "api_access_token: theirs",
    } <= set(sent.splitlines())
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
