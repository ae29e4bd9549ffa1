"""Paths behind nginx: those that would lead out of the mount, and those that go to Chatwoot
unchanged."""

import socket
import ssl
from pathlib import Path

import pytest
import requests

from tests.deployed import CHAT, OWN, Nginx, image, mirror, nginx

__all__ = ["image", "mirror", "nginx"]  # fixtures


# Paths that a browser takes for one below the mount, and other forms that some server reads alike.
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
    """Request the path exactly as it is written here: HTTP clients normalize paths."""
    context = ssl.create_default_context(cafile=nginx.certificate)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{head}Connection: close\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", nginx.tls), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        wire.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: wire.recv(65536), b"")).decode()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("path", ESCAPES)
def test_an_encoded_slash_leads_nobody_out_of_the_mount(nginx: Nginx, path: str) -> None:
    """The address leads neither to Chatwoot, whose host it is (the mirror would answer), nor
    elsewhere in the panel."""
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
    """Otherwise `/x/metrics` would pass the rule that hides `/metrics`."""
    for path in ("/x/metrics", "/x/healthz"):
        assert ask_raw(nginx, f"{mount}{path}", host, **{name: f"{mount}/x"})[0] == 404
        assert ask_raw(nginx, f"{mount}{path}", host, **{name: "/x"})[0] == 404
    status, answer = ask_raw(nginx, f"{mount}/healthz", host, **{name: "/metrics"})
    assert (status, "alive" in answer) == (200, True)


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO"])
def test_gunicorn_itself_believes_nobody_about_its_mount(
    image: tuple[Path, int], name: str
) -> None:
    """A request from loopback comes from a proxy, which passes on its client's headers."""
    address = f"http://127.0.0.1:{image[1]}"
    lie = {name: "/x"}
    assert requests.get(f"{address}/x/healthz", headers=lie, timeout=30).status_code == 404
    assert requests.get(f"{address}/healthz", headers=lie, timeout=30).json()["status"] == "alive"
    assert "/x/static" not in requests.get(f"{address}/", headers=lie, timeout=30).text
