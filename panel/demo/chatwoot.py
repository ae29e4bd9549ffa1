"""A built-in Chatwoot: the part of its API that the panel uses, with the real one's behaviour.

Source: access_token_auth_helper.rb, request_exception_handler.rb, rack_attack.rb of v4.15.1: 401
(not 403) for a role too low, 404 for what is not there, 429 as plain text without Retry-After.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from panel.demo import (
    administration,
    contact_lists,
    contacts,
    conversations,
    message_calls,
    people,
    rails,
    records,
    widget,
)
from panel.demo.account import Account, Ask, Refusal, Route
from panel.demo.world import Call, Json, World

_ROUTES: tuple[Route, ...] = (
    *contact_lists.ROUTES,
    *contacts.ROUTES,
    *conversations.ROUTES,
    *message_calls.ROUTES,
    *people.ROUTES,
    *administration.ROUTES,
)
_MAP = Map(
    [
        Rule(f"/api/v1/accounts/<int:account>{route.path}", methods=[route.method], endpoint=route)
        for route in _ROUTES
    ],
    strict_slashes=False,
)
_SESSION_HEADERS = ("access-token", "client", "uid")
_FOREIGNER: Json = {
    **records.agent_row(0, 0, "Somebody", "somebody@elsewhere.example", "agent"),
    "accounts": [],
}
_NOT_FOUND = Refusal(404, {"error": "Resource could not be found"})


@dataclass(frozen=True)
class Failure:
    """A failure in place of an answer; `applied`: the change was made all the same.

    `status`: 429 of the throttle, 422 of a database that took too long, 500 of Chatwoot itself,
    502 to 504 of a proxy.
    """

    status: int
    applied: bool = False


class NoSuchPath(Exception):
    """Chatwoot has no such address."""


def never(_call: Call) -> Failure | None:
    """Fail no call: the default."""
    return None


class Chatwoot(Account, World):
    """A Chatwoot with one account, over HTTP. Its data are the attributes of Account.

    `writes`: the changing calls that were carried out, in order; `down`: it answers 503;
    `unreachable`: the conversations for which it answers 503; `failures`: asked before every call;
    `page`: the demo page.
    """

    root = ("/api", "/public/api")

    def __init__(self, account_id: int = 1) -> None:
        World.__init__(self)
        Account.__init__(self, account_id)
        self.base = f"/api/v1/accounts/{account_id}"
        self.writes: list[Call] = []
        self.down = False
        self.unreachable: set[int] = set()
        self.failures: Callable[[Call], Failure | None] = never

    def flaky(self, rate: float, seed: int = 0, lost: float = 0.0) -> None:
        """Let this share of calls fail, by seed; `lost`: the share of failures that come after the
        change was made.

        A rate of 0 ends it.
        """
        dice = random.Random(seed)  # noqa: S311 - the same dice in every run are the point

        def fail(_call: Call) -> Failure | None:
            with self.lock:
                roll, kind, late = dice.random(), dice.choice((429, 500, 503)), dice.random()
            if roll >= rate:
                return None
            applied = late < lost
            return Failure(500 if applied else kind, applied)

        self.failures = fail if rate else never

    def close(self) -> None:
        """Stop the server: hanging calls end, and no webhook is sent any more."""
        self.outbox.close()
        World.close(self)

    def forget(self) -> None:
        """Empty the lists of calls and writes."""
        with self.lock:
            self.calls.clear()
            self.writes.clear()

    def respond(self, call: Call) -> Response:
        """Answer one call: an outage, or the API."""
        if self.down:
            return rails.fail(503)
        failure = self.failures(call)
        if failure and not failure.applied:
            return rails.fail(failure.status)
        response = self._answer(call)
        return rails.fail(failure.status) if failure else response

    def _answer(self, call: Call) -> Response:
        # The answer is rendered under the lock, since other threads change the rows.
        with self.lock:
            try:
                status, document = self._api(call)
            except Refusal as refusal:
                status, document = refusal.status, refusal.body
            except NoSuchPath:
                return rails.refuse_path(call)
            return rails.respond(status, None if document is None else rails.encode(document))

    def _api(self, call: Call) -> tuple[int, object]:
        if call.path.rstrip("/") == "/api":
            state = {"queue_services": "ok", "data_services": "ok"}
            now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
            return 200, {"version": self.version, "timestamp": now, **state}
        if widget.serves(call.path):
            return widget.respond(self, call)
        if (call.method, call.path) == ("GET", "/api/v1/profile"):
            return 200, people.profile(self, self._user(call))
        route, ids = _find_route(call)
        user = self._user(call)
        self._check_account(ids.pop("account"), call)
        if route.admin and user["role"] != "administrator":
            raise Refusal(401, {"error": "You are not authorized to do this action"})
        if ids.get("conversation") in self.unreachable:
            raise Refusal(503, None)
        body = call.body if isinstance(call.body, dict) else {}
        answer = route.handle(self, Ask(user, ids, call.query, body))
        if route.writes:
            self.writes.append(call)
        return answer

    def _user(self, call: Call) -> Json:
        """Return the user of the access token or session."""
        token = call.headers.get("api-access-token")
        if token:
            agent = self.tokens.get(token)
            refusal: Json = {"error": "Invalid Access Token"}
        else:
            session = tuple(call.headers.get(name, "") for name in _SESSION_HEADERS)
            agent = next((self.sessions[key] for key in self.sessions if key == session), None)
            refusal = {"errors": ["You need to sign in or sign up before continuing."]}
        if token in self.bot_tokens:
            raise Refusal(401, {"error": "Access to this endpoint is not authorized for bots"})
        if token in self.foreign_tokens:
            return _FOREIGNER
        if agent is None or agent not in self.agents:
            raise Refusal(401, refusal)
        return self.agents[agent]

    def _check_account(self, number: int, call: Call) -> None:
        """Check in Chatwoot's order: it exists, is active, is the user's, allows tokens."""
        if number not in {self.account_id, *self.other_accounts}:
            raise _NOT_FOUND
        if self.status != "active":
            raise Refusal(401, {"error": "Account is suspended"})
        if number != self.account_id or call.headers.get("api-access-token") in self.foreign_tokens:
            raise Refusal(401, {"error": "You are not authorized to access this account"})
        by_token = call.headers.get("api-access-token")
        if by_token and not self.api_enabled and self.is_since(4, 16):
            raise Refusal(403, {"error": "API access is not enabled for this account"})


def _find_route(call: Call) -> tuple[Route, dict[str, int]]:
    """Rails looks for the address first, before it asks for a proof."""
    try:
        route, ids = _MAP.bind("chatwoot").match(call.path, method=call.method)
    except HTTPException:
        raise NoSuchPath from None
    return route, dict(ids)
