"""Our requests and the built-in Chatwoot's answers, compared with Chatwoot's own description.

`fixtures/chatwoot-openapi.json` is the part of the description that concerns our calls. The file
has faults: `ERRATA` and `UNWRAP` list those that we know.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Call, Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.reconcile import DELETED
from tests.conftest import Worlds, panels_before
from tests.sync.executor import hook
from tests.sync.passes import company, entitlement, person

FILE = json.loads((Path(__file__).parent / "fixtures" / "chatwoot-openapi.json").read_text())
SCHEMAS: Json = FILE["schemas"]
TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
# The errors of the file, as patterns over the faults that the checker finds.
ERRATA = (
    r"POST /contacts request: inbox_id is missing",  # the code does not require it
    r".*attribute_values is no string",  # the value is a list
    r".*\.query_operator is no string",  # the last operator is null
)
# Answers that the file describes without the envelope that the controllers' views put around them.
UNWRAP: dict[str, tuple[str, ...]] = {
    "POST /contacts": ("payload", "contact"),
    "PUT /contacts/{id}": ("payload",),
    "GET /webhooks": ("payload", "webhooks"),
    "POST /webhooks": ("payload", "webhook"),
    "PATCH /webhooks/{webhook_id}": ("payload", "webhook"),
}
# Paths that the file lacks; only `/api` tells the version.
UNDESCRIBED = re.compile(r"/api|.*(/dashboard_apps|/destroy_custom_attributes)(/\d+)?")


@dataclass(frozen=True)
class Exchange:
    call: Call
    status: int
    answer: Any

    @property
    def path(self) -> str:
        return self.call.path.removeprefix("/api/v1/accounts/1")


class Recorded(Chatwoot):
    """A Chatwoot that also notes its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []

    def respond(self, call: Call) -> Response:
        response = super().respond(call)
        text = response.get_data(as_text=True)
        document = json.loads(text) if text.startswith(("{", "[")) else None
        self.exchanges.append(Exchange(call, response.status_code, document))
        return response


def faults(value: Any, schema: Json, at: str = "", strict: bool = False) -> Iterator[str]:
    """Return the faults of a value. `strict`: the value is a request, in which unknown keys and
    nulls are faults.

    In answers a null is no fault: the file hardly ever tells where Chatwoot answers null.
    """
    if "$ref" in schema:
        yield from faults(value, SCHEMAS[schema["$ref"]], at, strict)
    for part in schema.get("allOf", ()):
        yield from faults(value, part, at, strict)
    if "oneOf" in schema:
        parts = [list(faults(value, part, at, strict)) for part in schema["oneOf"]]
        yield from min(parts, key=len)
    if value is None and not strict:
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(TYPES[kind](value) for kind in kinds):
        yield f"{at} is no {' or '.join(kinds)}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{at} is none of {schema['enum']}"
    else:
        yield from _inner_faults(value, schema, at, strict)


def _inner_faults(value: Any, schema: Json, at: str, strict: bool) -> Iterator[str]:
    properties = schema.get("properties", {})
    if isinstance(value, dict):
        yield from (
            f"{at}.{key} is missing" for key in schema.get("required", ()) if key not in value
        )
        for key in value.keys() & properties.keys():
            yield from faults(value[key], properties[key], f"{at}.{key}", strict)
        if strict and properties:
            yield from (f"{at}.{key} is unknown" for key in value.keys() - properties.keys())
    if isinstance(value, list) and "items" in schema:
        for row in value:
            yield from faults(row, schema["items"], f"{at}[]", strict)


def described(exchange: Exchange) -> Json | None:
    for row in FILE["operations"]:
        pattern = re.sub(r"\{\w+\}", r"\\d+", row["path"])
        if row["method"] == exchange.call.method and re.fullmatch(pattern, exchange.path):
            node: Json = row
            return node
    return None


def named(row: Json) -> str:
    return f"{row['method']} {row['path']}"


def said(matches: Iterator[str], prefix: str) -> list[str]:
    return sorted({f"{prefix}: {line.lstrip('.')}" for line in matches})


def real(lines: list[str]) -> list[str]:
    return sorted(
        {line for line in lines if not any(re.fullmatch(pattern, line) for pattern in ERRATA)}
    )


def unwrapped(row: Json, answer: Any) -> Any:
    for key in UNWRAP.get(named(row), ()):
        answer = answer[key]
    return answer


# -- all our requests ------------------------------------------------------------------


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    """Make the exchanges: setup and its removal, passes of every kind, an opened panel."""
    office, chat = BackOffice([SECRET]), Recorded()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_agent(2, "Bruno", "bruno@panel.example")
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1, 2})
    servers = serve(office), serve(chat)
    worlds = Worlds(office, chat, servers[0].url, servers[1].url)
    folder = tmp_path_factory.mktemp("openapi")
    with panels_before(worlds, folder) as make:
        panel = make(PANEL_URL="https://panel.example.com")
        runner = panel.app.test_cli_runner()
        assert runner.invoke(args=["setup"]).exit_code == 0
        spoil(chat)
        assert runner.invoke(args=["setup"]).exit_code == 0
        live(panel.app, office, chat)
        assert panel.open(conversation=900, contact=1).status_code == 200
        assert runner.invoke(args=["setup", "--remove"]).exit_code == 0
    for server in servers:
        server.stop()
    return chat.exchanges


def spoil(chat: Chatwoot) -> None:
    """Spoil the rows that setup then corrects."""
    next(iter(chat.webhooks.values()))["subscriptions"] = ["message_created"]
    next(iter(chat.dashboard_apps.values()))["content"] = []
    next(iter(chat.definitions.values()))["attribute_display_type"] = "link"


def live(app: Flask, office: BackOffice, chat: Chatwoot) -> None:
    """Let an organization come, change and go, with people who have all keys or none."""
    company(office, 42, "Acme", "office@acme.example", phone="+55 61 99999-0000", plan="Gold")
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    person(office, 42, 2, "bia@acme.example", "member", None)
    chat.add_contact(1, name="", email="ana@acme.example")
    chat.add_conversation(1, 1, 900, custom_attributes={"topic": "billing"})
    get(Jobs, app).bring_in_line(42)
    company(office, 43, "Bare")  # a company without e-mail and phone gets a random identifier
    get(Jobs, app).bring_in_line(43)
    entitlement(office, 42, 1, "active", "2030-01-01T00:00:00Z")
    office.remove("collaborators", 42, 2)
    get(Jobs, app).bring_in_line(42)
    get(Intake, app).accept(hook("bye", 42, DELETED))
    office.remove("organization", 42, 42)
    get(Jobs, app).bring_in_line(42)
    company(office, 42, "Acme", "office@acme.example")
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    get(Jobs, app).bring_in_line(42)


def test_every_described_call_is_made_at_least_once(exchanges: list[Exchange]) -> None:
    operations = {named(row) for exchange in exchanges if (row := described(exchange))}
    assert operations == {named(row) for row in FILE["operations"]}


def test_what_is_not_described_is_what_the_file_lacks(exchanges: list[Exchange]) -> None:
    paths = {exchange.path for exchange in exchanges if described(exchange) is None}
    assert [path for path in paths if not UNDESCRIBED.fullmatch(path)] == []


def of_requests(exchanges: list[Exchange]) -> list[str]:
    texts: list[str] = []
    for exchange in exchanges:
        row = described(exchange) or {}
        if "body" in row:
            body = exchange.call.body
            body = body.get("webhook", body.get("custom_attribute_definition", body))
            texts += said(faults(body, row["body"], strict=True), f"{named(row)} request")
    return texts


def of_answers(exchanges: list[Exchange]) -> list[str]:
    texts: list[str] = []
    for exchange in exchanges:
        row = described(exchange)
        schema = next(iter(row["answers"].values()), None) if row else None
        if row and schema and exchange.status < 300:
            texts += said(faults(unwrapped(row, exchange.answer), schema), f"{named(row)} answer")
    return texts


def test_our_requests_fit_the_description(exchanges: list[Exchange]) -> None:
    assert real(of_requests(exchanges)) == []


def test_the_built_in_answers_fit_the_description(exchanges: list[Exchange]) -> None:
    assert real(of_answers(exchanges)) == []


@pytest.mark.parametrize("pattern", ERRATA)
def test_no_error_of_the_file_is_listed_in_vain(exchanges: list[Exchange], pattern: str) -> None:
    lines = of_requests(exchanges) + of_answers(exchanges)
    assert any(re.fullmatch(pattern, line) for line in lines)


def test_every_call_was_answered_as_it_should(exchanges: list[Exchange]) -> None:
    assert {exchange.status for exchange in exchanges} <= {200, 204}


def test_the_token_travels_in_the_form_that_proxies_let_through(
    exchanges: list[Exchange],
) -> None:
    assert {exchange.call.headers.get("api-access-token") for exchange in exchanges} == {
        ADMIN_TOKEN
    }


# -- the checker itself ----------------------------------------------------------------------------

SHAPE: Json = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "tags": {"items": {"enum": ["a", "b"]}}},
}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], " is no object"),
        ({}, ".id is missing"),
        ({"id": "1"}, ".id is no integer"),
        ({"id": True}, ".id is no integer"),
        ({"id": None}, ".id is no integer"),
        ({"id": 1, "tags": ["c"]}, ".tags[] is none of ['a', 'b']"),
        ({"id": 1, "more": 1}, ".more is unknown"),
    ],
)
def test_the_checker_finds_what_does_not_fit(value: Any, fault: str) -> None:
    assert list(faults(value, SHAPE, strict=True)) == [fault]
    assert list(faults(value, {"allOf": [SHAPE]}, strict=True)) == [fault]
