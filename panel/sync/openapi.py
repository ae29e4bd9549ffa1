"""The description of the plugin's hooks in OpenAPI 3.1, for programs that write or test a sender.

docs/hooks.md says the same in words. Both are held against the route by tests.
"""

from typing import Any

from panel.sync.events import KINDS
from panel.sync.wire import MOST_BYTES, MOST_CHARACTERS, MOST_ORGANIZATION

Schema = dict[str, Any]

ANSWER_MEANINGS = {
    200: "duplicate: a hook with this id was kept before",
    202: "accepted: kept; or ignored: of no kind that the panel knows",
    401: "the secret or the signature is missing or wrong",
    413: f"larger than {MOST_BYTES} bytes",
    415: "Content-Type is not application/json",
    422: "no JSON, or no event and timestamp",
    429: "too many wrong proofs from this address",
    503: "could not be kept: bring it again, with the same id",
}
REPEATABLE = (429, 503)  # the answers that say when to come again
EXAMPLE_HOOK = {
    "event": "entitlement.suspended",
    "timestamp": "2026-05-04T14:30:00Z",
    "id": "evt-1001",
    "data": {"id": 101, "organization_id": 42},
}


def describe_hooks() -> Schema:
    """Answer `GET /sync/openapi.json`."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hooks of MIDDAG Account for the contact panel", "version": "1"},
        "paths": {"/sync/hooks": {"post": _describe_post()}},
        "components": {"securitySchemes": {"secret": {"type": "http", "scheme": "bearer"}}},
        "security": [{"secret": []}],
    }


def _describe_post() -> Schema:
    body = {"application/json": {"schema": _describe_body(), "example": EXAMPLE_HOOK}}
    return {
        "operationId": "ring",
        "summary": "Tell the panel what has changed; it reads the new values itself",
        "description": f"Kinds: {', '.join(KINDS)}",
        "requestBody": {"required": True, "content": body},
        "responses": {str(status): _describe_answer(status) for status in ANSWER_MEANINGS},
    }


def _describe_body() -> Schema:
    name: Schema = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
    moment: Schema = {"type": "string", "format": "date-time"}
    organization = {"type": "integer", "minimum": 1, "maximum": MOST_ORGANIZATION}
    data = {"properties": {"id": {}, "organization_id": organization}}
    properties = {
        "event": name,
        "timestamp": moment,
        "id": {"type": ["string", "integer", "null"], "maxLength": MOST_CHARACTERS},
        "organization_id": {},
        "data": data,
    }
    return {"type": "object", "required": ["event", "timestamp"], "properties": properties}


def _describe_answer(status: int) -> Schema:
    is_kept = status < 400
    fields = ("status", "id") if is_kept else ("code", "detail")
    texts: Schema = {
        "type": "object",
        "required": list(fields),
        "properties": {field: {"type": "string"} for field in fields},
    }
    error = {"type": "object", "required": ["error"], "properties": {"error": texts}}
    answer: Schema = {
        "description": ANSWER_MEANINGS[status],
        "content": {"application/json": {"schema": texts if is_kept else error}},
    }
    if status in REPEATABLE:
        answer["headers"] = {"Retry-After": {"required": True, "schema": {"type": "string"}}}
    return answer
