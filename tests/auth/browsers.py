"""Browsers at the panel's door, with and without a session, for tests of the proofs."""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
import requests
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from panel.auth.methods import DASHBOARD_COOKIE
from panel.auth.tokens import ACCEPTED_PROOFS, derive_launch_key
from panel.demo.worlds import AGENT, AGENT_TOKEN, SECRET
from tests.conftest import Clock, MakePanel, Panel, attribute, panels_before, worlds_on_sockets

OTHER = "another-secret-of-24-characters"
SESSION = {"access-token": "demo-session", "client": "demo-client", "uid": "bruno@suporte.example"}


@dataclass
class Browser:
    """An agent's browser: sends cookies and the page's Origin to a panel."""

    panel: Panel
    address: str = ""
    cookies: str = ""
    origin: str | None = ""  # empty: the panel's own

    def post(self, path: str, bearer: str | None = None, **form: Any) -> requests.Response:
        headers = {"Cookie": self.cookies, "X-Forwarded-For": self.address}
        origin = self.panel.url if self.origin == "" else self.origin
        if origin is not None:
            headers["Origin"] = origin
        answer = self.panel.ask("POST", path, bearer, data=form, headers=headers)
        for cookie in answer.headers.get("Set-Cookie", "").splitlines():
            self.cookies = cookie.partition(";")[0]
        return answer

    def sign_in(self, token: str = AGENT_TOKEN) -> requests.Response:
        return self.post("/sign-in", token=token)

    def open(self, scenario: str = "healthy", **changes: Any) -> requests.Response:
        return self.post("/contact", **self.panel.hints(scenario, **changes))


def dashboard(session: object = SESSION) -> str:
    text = session if isinstance(session, str) else quote(json.dumps(session))
    return f"{DASHBOARD_COOKIE}={text}"


def shown(answer: requests.Response) -> tuple[str | None, str | None]:
    return attribute(answer.text, "data-panel"), attribute(answer.text, "data-code")


def address() -> str:
    """Return a new address, from which nothing was tried yet."""
    return "2001:db8:" + ":".join(f"{secrets.randbits(16):x}" for _ in range(6))


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Panel]]:
    """A panel for each proof, behind a proxy, for tests that change nothing."""
    with ExitStack() as stack:
        worlds = stack.enter_context(worlds_on_sockets())
        fields = {}
        for proof in ACCEPTED_PROOFS:
            make = stack.enter_context(panels_before(worlds, tmp_path_factory.mktemp(proof)))
            fields[proof] = make(PANEL_AGENT_PROOF=proof, PANEL_TRUSTED_PROXIES="1")
        yield fields


def forgetful(panel: Panel) -> Panel:
    panel.chat.forget()
    panel.office.forget()
    return panel


@pytest.fixture
def signing(panels: dict[str, Panel]) -> Panel:
    """A panel whose proof is an access token."""
    return forgetful(panels["access-token"])


@pytest.fixture
def browser(signing: Panel) -> Browser:
    return Browser(signing, address())


MakeClocked = Any


@pytest.fixture
def clocked_with(make_panel: MakePanel) -> MakeClocked:
    """`clocked_with("access-token")` makes a panel on a clock of the test, at the start of a
    minute."""

    def make(proof: str, clock: Clock | None = None, **changes: str) -> Panel:
        if clock is None:
            clock = Clock()
            clock.now -= clock.now % 60
        proxies = {"PANEL_TRUSTED_PROXIES": "1", **changes}
        return make_panel(clock=clock, PANEL_AGENT_PROOF=proof, **proxies)

    return make


class Earlier(TimestampSigner):
    """Signs as if it were longer ago."""

    ago = 12 * 3600 + 1

    def get_timestamp(self) -> int:
        return super().get_timestamp() - self.ago


def session(
    secret: str,
    report: object,
    signer: type[TimestampSigner] = TimestampSigner,
    salt: str = "session",
) -> str:
    """Sign a session, as anybody can who knows the secret."""
    key = derive_launch_key(f"{salt} {secret}")
    digest = {"digest_method": sha256}
    maker = URLSafeTimedSerializer(key, salt=salt, signer=signer, signer_kwargs=digest)
    return f"__Host-panel={maker.dumps(report)}"


BRUNO = {"agent": AGENT, "account": 1}
WRONG_SESSIONS = {
    "expired": session(SECRET, BRUNO, Earlier),
    "signed with another secret": session(OTHER, BRUNO),
    "of another account": session(SECRET, {**BRUNO, "account": 2}),
    "without an agent": session(SECRET, {"account": 1}),
    "with a word for an agent": session(SECRET, {**BRUNO, "agent": "2"}),
    "with true for an agent": session(SECRET, {**BRUNO, "agent": True}),
    "a list": session(SECRET, [AGENT, 1]),
    "a seal": session(SECRET, BRUNO, salt="seal"),
    "garbage": "__Host-panel=garbage",
    "giant": "__Host-panel=" + "a" * 20_000,
    "a launch key": f"__Host-panel={derive_launch_key(SECRET)}",
}
