"""The demo page: Chatwoot's conversation view with our frame, and controls to break the worlds.

The page is served where Chatwoot's own dashboard stands; its other files and calls live under
/demo, so that /api stays the real Chatwoot's.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from werkzeug.wrappers import Response

from panel.demo import conversations
from panel.demo.backoffice import SECTIONS, BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.faults import FAULTS
from panel.demo.hooks import Plugin
from panel.demo.scenarios import REGULARS, SCENARIOS
from panel.demo.world import Call, Json, answer
from panel.demo.worlds import AGENT, break_worlds

_STATIC = Path(__file__).parent / "static"
_SESSION_COOKIE = "cw_d_session_info"
_LEFT_AS_IT_IS = "#$&+/:<=>?@[]^`{|}!'()*"  # characters that js-cookie leaves unescaped
_FILES = {path.name: path for path in _STATIC.iterdir()}


class Page:
    """Answers all calls outside Chatwoot's /api: set it as `chat.page`."""

    def __init__(self, chat: Chatwoot, office: BackOffice) -> None:
        self.chat = chat
        self.office = office
        self.home = f"/app/accounts/{chat.account_id}/dashboard"
        self._actions: dict[str, Callable[[Json], None]] = {
            "fault": self._fault,
            "chatwoot": self._chatwoot,
            "heal": self._heal,
            "reset": self._reset,
            "hook": self._hook,
        }
        self.plugin: Plugin | None = None  # made when the port is known
        self.rung: Json | None = None  # the last hook, and the panel's answer

    def __call__(self, call: Call) -> Response:
        response = self._post(call) if call.method == "POST" else self._get(call)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _get(self, call: Call) -> Response:
        if call.path == "/demo/state":
            return answer(200, self.state())
        if call.path.startswith("/demo/static/"):
            return _file(call.path.removeprefix("/demo/static/"))
        if call.path == self.home:
            return self._dashboard()
        if call.path in ("/", "/app"):
            query = f"?{urlencode(call.query)}" if call.query else ""
            return answer(302, None, Location=self.home + query)
        return answer(404, {"error": "Not found"})

    def _dashboard(self) -> Response:
        """Return the page, with the cookie in which the real one keeps its session."""
        page = _file("dashboard.html")
        session = next((key for key, agent in self.chat.sessions.items() if agent == AGENT), None)
        if session:
            names = ("access-token", "client", "uid")
            cookie = quote(json.dumps(dict(zip(names, session, strict=True))), safe=_LEFT_AS_IT_IS)
            page.headers.add("Set-Cookie", f"{_SESSION_COOKIE}={cookie}; Path=/; SameSite=Lax")
        return page

    def _post(self, call: Call) -> Response:
        action = self._actions.get(call.path.removeprefix("/demo/"))
        if action is None or not isinstance(call.body, dict):
            return answer(404, {"error": "Not found"})
        try:
            action(call.body)
        except KeyError as unknown:
            return answer(422, {"error": f"unknown: {unknown}"})
        return answer(200, self.state())

    def state(self) -> Json:
        """Return the page's data, as the browser's store of the real dashboard would hold it."""
        with self.chat.lock:
            state = {
                "account": self.chat.account_id,
                "agent": {key: self.chat.agents[AGENT][key] for key in ("id", "name", "email")},
                "apps": list(self.chat.dashboard_apps.values()),
                "definitions": list(self.chat.definitions.values()),
                "conversations": self._conversations(),
                "bench": self._bench(),
            }
            # The state is copied, because other threads change the rows.
            copy: Json = json.loads(json.dumps(state))
            return copy

    def _conversations(self) -> list[Json]:
        """Return the conversations, newest first, with their inboxes and scenarios."""
        scenarios = {row.conversation: row for row in (SCENARIOS | REGULARS).values()}
        rows = sorted(self.chat.conversations.values(), key=lambda row: -row["last_activity_at"])
        return [
            {
                "scenario": scenario.name if (scenario := scenarios.get(row["id"])) else "",
                "label": scenario.label if scenario else "",
                "organizations": scenario.organizations if scenario else [],
                "inbox": self.chat.inboxes[row["inbox_id"]],
                "conversation": conversations.shown(self.chat, row, messages=True),
            }
            for row in rows
        ]

    def _bench(self) -> Json:
        with self.office.lock:
            faults = [
                {"organization": organization, "section": section, "fault": name}
                for (organization, section), name in self.office.faults.items()
            ]
        return {
            "choices": {name: fault.label for name, fault in FAULTS.items()},
            "sections": SECTIONS,
            "faults": faults,
            "down": self.chat.down,
            "deeds": {name: deed[0] for name, deed in self._deeds().items()},
            "rung": self.rung,
        }

    def _fault(self, body: Json) -> None:
        """`fault` (None heals), `section` (None: all), `organizations` (None: all)."""
        name, section = body.get("fault"), body.get("section") or None
        numbers: list[Any] = body.get("organizations") or [None]
        for number in numbers:
            self.office.heal(number)
            if name:
                self.office.fault(name, number, section)

    def _deeds(self) -> dict[str, Any]:
        return dict(self.plugin.deeds) if self.plugin else {}

    def _hook(self, body: Json) -> None:
        """Do `deed` to `organization`, and tell the panel."""
        if self.plugin is None:
            raise KeyError("no panel to ring at")
        self.rung = self.plugin.do(body["deed"], int(body["organization"]))

    def _chatwoot(self, body: Json) -> None:
        self.chat.down = body.get("down") is True

    def _heal(self, _body: Json) -> None:
        """End all faults, those of the scenarios too."""
        self.office.heal()
        self.chat.down = False
        self.chat.unreachable.clear()

    def _reset(self, body: Json) -> None:
        """Set the faults of the scenarios and no others."""
        self._heal(body)
        break_worlds(self.office, self.chat)


def _file(name: str) -> Response:
    if name not in _FILES:
        return answer(404, {"error": "Not found"})
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # The file is read every time, so that a reload shows a change of it.
    return Response(_FILES[name].read_bytes(), content_type=f"{kind}; charset=utf-8")
