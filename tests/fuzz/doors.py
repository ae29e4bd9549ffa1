"""DOORS: the values that a stranger, an agent, the plugin or Chatwoot may send to a route.

A door has a row. Behind the doors stands a whole panel between the back office and Chatwoot, called
as a web server calls it.
"""

import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from panel.application import create_app
from panel.auth.sessions import Session, Sessions
from panel.auth.tokens import derive_launch_key, parse_bearer
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import AGENT, SECRET
from panel.services import Services, get
from panel.settings import from_env
from panel.sync.openapi import EXAMPLE_HOOK
from tests.demo.recordings import FOLDER
from tests.fuzz.values import Strategy, bytes_like, changed_texts, headers, texts
from tests.pages import seal_of
from tests.panels import with_tables
from tests.worlds import environment, worlds_on_sockets

OURS = "https://panel.example.com"
WEBHOOK_SECRET = "webhook-secret-of-the-fuzzers"
PROOFS = ("shared-secret", "access-token", "chatwoot-session")
HINTS = {"conversation": SCENARIOS["healthy"].conversation, "contact": 301, "account": 1}
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass
class Panels:
    """A client of a panel for each proof, all with the same back office and Chatwoot."""

    clients: Mapping[str, FlaskClient]
    sessions: Sessions
    seal: str = ""

    def ask(self, proof: str, method: str, path: str, **options: Any) -> TestResponse:
        fields = {"Origin": OURS, **options.pop("headers", {})}
        return self.clients[proof].open(
            path, method=method, base_url=OURS, headers=fields, **options
        )


@contextmanager
def open_panels(folder: Path) -> Iterator[Panels]:
    with worlds_on_sockets() as worlds:
        own = {
            "PANEL_URL": OURS,
            "PANEL_TRUSTED_PROXIES": "1",
            "CHATWOOT_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }
        environ = environment(worlds.office_url, worlds.chat_url, with_tables(folder), **own)
        variants = {proof: from_env({**environ, "PANEL_AGENT_PROOF": proof}) for proof in PROOFS}
        apps = {proof: create_app(settings) for proof, settings in variants.items()}
        panels = Panels(
            {proof: app.test_client() for proof, app in apps.items()},
            Sessions(variants["access-token"]),
        )
        key = {"Authorization": f"Bearer {derive_launch_key(SECRET)}"}
        answer = panels.ask(
            PROOFS[0], "POST", "/contact", data={**HINTS, "agent_id": AGENT}, headers=key
        )
        panels.seal = seal_of(answer.text)
        yield panels
        for app in apps.values():
            get(Services, app).deliveries.stop()
            get(Services, app).database.dispose()


@dataclass(frozen=True)
class Door:
    """`knock` sends one of `values`. `is_forged`: none of them may open anything."""

    name: str
    values: Strategy
    knock: Callable[[Panels, Any], TestResponse]
    is_forged: bool = False


def try_door(door: Door, panels: Panels, value: Any) -> None:
    """Fails if the panel answers 500, or accepts a forgery."""
    answer = door.knock(panels, value)
    assert answer.status_code != 500, answer.text
    if door.is_forged:
        assert 400 <= answer.status_code < 500, answer.status_code
        assert "data-seal" not in answer.text


# -- from strangers --------------------------------------------------------------------------------


def bring(
    method: str, path: str, header: str, proof: str = PROOFS[0], **more: str
) -> Callable[[Panels, str], TestResponse]:
    """Return a function that sends a request with this header, whose value varies."""

    def knock(panels: Panels, value: str) -> TestResponse:
        data = {**HINTS, "agent_id": AGENT} if method == "POST" else None
        return panels.ask(proof, method, path, data=data, headers={**more, header: value})

    return knock


def bring_session(panels: Panels, value: str) -> TestResponse:
    genuine = panels.sessions.make(Session(AGENT))
    cookie = f"__Host-panel={genuine[: len(genuine) // 2]}{value}"
    data = {**HINTS, "agent_id": AGENT}
    return panels.ask("access-token", "POST", "/contact", data=data, headers={"Cookie": cookie})


def bring_seal(panels: Panels, change: tuple[int, str]) -> TestResponse:
    """Send the genuine seal with one character of its content replaced."""
    place = change[0] % panels.seal.index(".")
    sign = change[1] if panels.seal[place] != change[1] else "_"
    seal = panels.seal[:place] + sign + panels.seal[place + 1 :]
    return panels.ask(
        PROOFS[0], "GET", "/sections/orders", headers={"Authorization": f"Bearer {seal}"}
    )


def deliver(panels: Panels, raw: bytes, secret: str = WEBHOOK_SECRET) -> TestResponse:
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + raw, sha256).hexdigest()
    proof = {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={digest}"}
    return panels.ask(PROOFS[0], "POST", "/sync/chatwoot", data=raw, headers={**JSON_TYPE, **proof})


def ring(panels: Panels, raw: bytes, secret: str = SECRET) -> TestResponse:
    proof = {"Authorization": f"Bearer {secret}"}
    return panels.ask(PROOFS[0], "POST", "/sync/hooks", data=raw, headers={**JSON_TYPE, **proof})


WEBHOOKS = [
    row["body"] for row in json.loads((FOLDER / "chatwoot-4.16.2-webhooks.json").read_text())
]
LAUNCH_KEY = f"Bearer {derive_launch_key(SECRET)}"
wrong_keys = (changed_texts(LAUNCH_KEY) | headers).filter(
    lambda header: parse_bearer(header) != derive_launch_key(SECRET)
)
FOREIGN = {"X-Forwarded-For": "203.0.113.5"}
DASHBOARD = "cw_d_session_info=" + quote('{"access-token":"a","client":"b","uid":"c"}')
changed_signs = st.tuples(st.integers(0, 400), st.sampled_from("AZaz09-_"))
STRANGERS = (
    Door("launch keys", wrong_keys, bring("POST", "/contact", "Authorization"), is_forged=True),
    Door("seals", changed_signs, bring_seal, is_forged=True),
    Door("sessions", headers, bring_session, is_forged=True),
    Door("sessions of the dashboard", changed_texts(DASHBOARD) | headers,
         bring("POST", "/contact", "Cookie", "chatwoot-session"), is_forged=True),
    Door("tokens for the figures", headers,
         bring("GET", "/metrics", "Authorization", **FOREIGN), is_forged=True),
    Door("origins of other pages", headers | texts.filter(str.isprintable),
         bring("POST", "/sign-in", "Origin", "access-token"), is_forged=True),
    Door("hooks with another secret", bytes_like(EXAMPLE_HOOK),
         lambda panels, raw: ring(panels, raw, f"{SECRET}x"), is_forged=True),
    Door("webhooks with another secret", bytes_like(*WEBHOOKS[:3]),
         lambda panels, raw: deliver(panels, raw, SECRET), is_forged=True),
    Door("languages of browsers", headers, bring("GET", "/", "Accept-Language")),
    Door("forwarded addresses", headers, bring("POST", "/contact", "X-Forwarded-For")),
    Door("forwarded hosts", headers, bring("GET", "/", "X-Forwarded-Host")),
)  # fmt: skip


# -- from agents, the plugin and Chatwoot ----------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """A route of the open panel, with the names that its page sends."""

    method: str
    path: str
    names: tuple[str, ...]

    def fill(self) -> Strategy:
        some = encodable | st.sampled_from(("orders", "42", "pick", "conversation"))
        return st.dictionaries(st.sampled_from(self.names), some)

    def send(self, panels: Panels, values: Mapping[str, str]) -> TestResponse:
        seal = {"Authorization": f"Bearer {panels.seal}"}
        where = "data" if self.method == "POST" else "query_string"
        return panels.ask(PROOFS[0], self.method, self.path, headers=seal, **{where: values})


# Half a character cannot be written into a form or an address.
encodable = texts.map(lambda text: text.encode("utf-8", "replace").decode())
FORMS = (
    Form("POST", "/links", ("action", "organization", "scope", "at")),
    Form("GET", "/search", ("q",)),
    Form("POST", "/uncover", ("section", "reason", "detail")),
    Form("POST", "/verify", ("action", "answer", "reason", "organization")),
    Form("POST", "/notes", ("section", "record")),
    Form("POST", "/preferences", ("order", "collapsed")),
    Form("GET", "/sections/orders", ("wait", "all")),
    Form("GET", "/rows/orders/1", ("wait", "again")),
    Form("GET", "/changes", ("licenses", "orders", "quotes", "organization")),
    Form("GET", "/attention", ("stranger", "failed")),
    Form("GET", "/healthz", ("challenge",)),
)
INSIDERS = (
    Door("hooks", bytes_like(EXAMPLE_HOOK), ring),
    Door("webhooks", bytes_like(*WEBHOOKS), deliver),
    *(Door(f"{form.method} {form.path}", form.fill(), form.send) for form in FORMS),
)
DOORS = {door.name: door for door in (*STRANGERS, *INSIDERS)}
