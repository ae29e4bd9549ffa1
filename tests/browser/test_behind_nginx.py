"""The panel in a real browser, behind a real nginx, under Chatwoot's own host."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page

from panel.demo.serve import MOUNT
from tests.browser.conftest import FRAME, MakeDemo, Panel, Seen
from tests.browser.signing import expect_code, expect_customer
from tests.conftest import wait_until
from tests.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy" / "nginx"
CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;
    access_log off;
    server {{
        listen 127.0.0.1:{front};
        location {mount}/ {{
            include {proxy};
            proxy_set_header Host 127.0.0.1;
            proxy_set_header X-Forwarded-Prefix {mount};
            proxy_pass http://127.0.0.1:{port}/;
        }}
        location / {{
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:{port};
        }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, front: int, port: int) -> Iterator[None]:
    """Chatwoot's host with the panel mounted below it, and the headers of our own example."""
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    program = shutil.which("nginx", path=path) or pytest.skip("no nginx here (tests/machine.sh)")
    user = "user root;" if os.geteuid() == 0 else ""
    places = {"folder": folder, "front": front, "port": port, "mount": MOUNT, "user": user}
    conf = folder / "nginx.conf"
    conf.write_text(CONFIGURATION.format(proxy=DEPLOY / "panel-proxy.conf", **places))
    command = [program, "-e", f"{folder}/error.log", "-p", str(folder), "-c", str(conf)]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.RequestException:
        return False


def test_behind_a_real_nginx_the_panel_opens_under_chatwoots_own_host(
    demo_with: MakeDemo, page: Page, seen: Seen, tmp_path: Path
) -> None:
    front = free_port()
    demo = demo_with("chatwoot-session", front)
    with nginx(tmp_path, front, demo.server.port):
        url = f"http://localhost:{front}"
        wait_until(lambda: answers(f"{url}{MOUNT}/healthz"), 20)
        page.goto(f"{url}/?scenario=healthy&tab=app")
        panel = Panel(page, page.frame_locator(FRAME), url + MOUNT)
        expect_customer(panel)
        panel.pick()
        hosts = {request.url.partition("/app")[0].partition("/demo")[0] for request in seen.sent()}
        assert {host for host in hosts if not host.startswith(url)} == set()
        [cookies] = {request.headers["cookie"] for request in seen.sent(f"{MOUNT}/contact")}
        assert "cw_d_session_info=" in cookies
        # The dashboard ends: so does the panel, at the next opening after a minute at the latest.
        page.context.clear_cookies()
        demo.switch(page, "empty")
        expect_code(panel, "no_proof")
