"""Other browsers than Chromium, driven as little as a smoke run needs.

Debian has no geckodriver, and Playwright drives only Firefox builds of its own. Firefox speaks
Marionette, the protocol that geckodriver translates: a length and a JSON array over one socket.
WebKitGTK has WebKitWebDriver, which speaks WebDriver over HTTP. Both know the same commands.
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests

from tests.conftest import wait_until
from tests.ports import free_port

FRAME = "iframe#dashboard-app--frame-0-0"
STARTING = 60  # seconds, on a busy machine
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that WebDriver names elements by
PREFERENCES = """
user_pref("marionette.port", {port});
user_pref("intl.accept_languages", "en-US");
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
"""


class Session(Protocol):
    """A window of one browser."""

    def open(self, url: str) -> None: ...

    def enter_frame(self, selector: str | None) -> None:
        """Run scripts in this frame from now on; None: in the page itself."""

    def run(self, script: str) -> Any:
        """Return the value of an expression."""

    def click(self, selector: str) -> None:
        """Click as a person does: only then may a frame of another site take the focus."""


def succeeds(call: Callable[..., Any], name: str, **fields: Any) -> bool:
    """Tell whether the browser did it: a card that is drawn anew cannot be clicked for a frame."""
    try:
        call(name, **fields)
    except RuntimeError:
        return False
    return True


@dataclass
class Firefox:
    """Marionette's client. Every message is `<length>:<JSON>`; ours are `[0, id, name, fields]`."""

    wire: socket.socket
    sent: int = 0

    def call(self, name: str, **fields: Any) -> Any:
        self.sent += 1
        text = json.dumps([0, self.sent, name, fields]).encode()
        self.wire.sendall(str(len(text)).encode() + b":" + text)
        _, _, error, value = self.read()
        if error:
            raise RuntimeError(f"{name}: {error['message']}")
        return value.get("value") if isinstance(value, dict) else value

    def read(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self.wire.recv(1)
        missing, parts = int(length[:-1]), []
        while missing:
            parts.append(self.wire.recv(missing))
            missing -= len(parts[-1])
        return json.loads(b"".join(parts))

    def open(self, url: str) -> None:
        self.call("WebDriver:Navigate", url=url)

    def find(self, selector: str) -> str:
        element = self.call("WebDriver:FindElement", using="css selector", value=selector)
        return str(element[ELEMENT])

    def enter_frame(self, selector: str | None) -> None:
        self.call("WebDriver:SwitchToFrame", element=self.find(selector) if selector else None)

    def click(self, selector: str) -> None:
        wait_until(lambda: succeeds(self.call, "WebDriver:ElementClick", id=self.find(selector)))

    def run(self, script: str) -> Any:
        return self.call("WebDriver:ExecuteScript", script=f"return {script}", args=[])


@dataclass
class WebKit:
    """WebDriver over HTTP."""

    session: str  # its address

    def call(self, path: str, **fields: Any) -> Any:
        answer = requests.post(f"{self.session}/{path}", json=fields, timeout=STARTING)
        value = answer.json()["value"]
        if not answer.ok:
            raise RuntimeError(f"{path}: {value['message']}")
        return value

    def open(self, url: str) -> None:
        self.call("url", url=url)

    def find(self, selector: str) -> dict[str, str]:
        return dict(self.call("element", using="css selector", value=selector))

    def enter_frame(self, selector: str | None) -> None:
        self.call("frame", id=self.find(selector) if selector else None)

    def click(self, selector: str) -> None:
        wait_until(lambda: succeeds(self.call, f"element/{self.find(selector)[ELEMENT]}/click"))

    def run(self, script: str) -> Any:
        return self.call("execute/sync", script=f"return {script}", args=[])


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    port = free_port()
    (folder / "user.js").write_text(PREFERENCES.format(port=port))
    program = shutil.which("firefox-esr") or shutil.which("firefox") or ""
    command = [program, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environ = os.environ | {"HOME": str(folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
    with (
        ended(subprocess.Popen(command, env=environ, **quiet)),  # type: ignore[call-overload]
        connect(port) as wire,
    ):
        browser = Firefox(wire)
        browser.read()  # it greets first
        browser.call("WebDriver:NewSession", capabilities={})
        yield browser


@contextmanager
def webkit(folder: Path) -> Iterator[WebKit]:
    port, screen = free_port(), f":{free_port() % 50_000 + 100}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environ = os.environ | {"HOME": str(folder), "DISPLAY": screen, "GDK_BACKEND": "x11"}
    environ |= {"WEBKIT_DISABLE_COMPOSITING_MODE": "1", "LANG": "C.UTF-8"}
    display = ["Xvfb", screen, "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    driver = ["WebKitWebDriver", f"--port={port}"]
    with (
        ended(subprocess.Popen(display, **quiet)),  # type: ignore[call-overload]
        ended(subprocess.Popen(driver, env=environ, **quiet)),  # type: ignore[call-overload]
    ):
        connect(port).close()
        yield from start_webkit(f"http://127.0.0.1:{port}")


def start_webkit(driver: str) -> Iterator[WebKit]:
    capabilities = {"capabilities": {"alwaysMatch": {"browserName": "MiniBrowser"}}}
    answer = requests.post(f"{driver}/session", json=capabilities, timeout=STARTING).json()["value"]
    browser = WebKit(f"{driver}/session/{answer['sessionId']}")
    try:
        yield browser
    finally:
        requests.delete(browser.session, timeout=STARTING)


def connect(port: int) -> socket.socket:
    wires: list[socket.socket] = []

    def dial() -> bool:
        with suppress(OSError):
            wires.append(socket.create_connection(("127.0.0.1", port), STARTING))
        return bool(wires)

    wait_until(dial, STARTING)
    return wires[0]


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(STARTING)
