"""The route for the plugin's hooks: refusals, their words, and how much of a body is read."""

import json
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from tests.sync.executor import SECRET
from tests.sync.plugin_door import (
    BEARER,
    JSON,
    STAMP,
    Panel,
    Ring,
    app,
    client,
    kept,
    panel,
    refusal,
    ring,
)
from tests.sync.signed_hooks import signed

__all__ = ["app", "client", "panel", "ring"]  # fixtures


CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


def counted(word: str) -> float:
    families = [metric for metric in REGISTRY.collect() if metric.name == "panel_hooks"]
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if sample.labels.get("answer") == word)


def test_one_byte_more_is_refused(ring: Ring, panel: Panel) -> None:
    refusal(ring(b" " * (256 * 1024 + 1)), 413, "too_large")
    assert kept(panel) == 0


class Endless:
    """A body without an end, which counts the bytes that are read."""

    bytes_read = 0

    def read(self, size: int) -> bytes:
        part = min(size, 10_000)
        self.bytes_read += part
        return b" " * part


def test_a_large_body_is_not_even_read(client: FlaskClient) -> None:
    body = Endless()
    environment = {"wsgi.input": body, "CONTENT_LENGTH": "1000000000"}
    answer = client.post("/sync/hooks", headers=JSON | BEARER, environ_overrides=environment)
    refusal(answer, 413, "too_large")
    assert body.bytes_read == 0


def test_of_a_chunked_body_no_more_is_read_than_a_sender_needs_to_hear_why(
    client: FlaskClient,
) -> None:
    body = Endless()
    environment = CHUNKED | {"wsgi.input": body}
    answer = client.post("/sync/hooks", headers=JSON | BEARER, environ_overrides=environment)
    refusal(answer, 413, "too_large")
    assert body.bytes_read == 1024 * 1024


def test_a_body_that_is_a_little_too_large_is_read_so_that_its_sender_hears_why(
    client: FlaskClient,
) -> None:
    """gunicorn would close the connection of a client that still sends, and the client would see a
    reset."""
    body = Endless()
    environment = {"wsgi.input": body, "CONTENT_LENGTH": str(900 * 1024)}
    answer = client.post("/sync/hooks", headers=JSON | BEARER, environ_overrides=environment)
    refusal(answer, 413, "too_large")
    assert body.bytes_read == 900 * 1024


def test_a_chunked_body_is_taken(client: FlaskClient) -> None:
    body = json.dumps({"event": "order.paid", "timestamp": STAMP}).encode()
    environment = CHUNKED | {"wsgi.input": BytesIO(body)}
    answer = client.post("/sync/hooks", headers=JSON | BEARER, environ_overrides=environment)
    assert answer.status_code == 202


def test_another_content_type_is_refused(client: FlaskClient, panel: Panel) -> None:
    answer = client.post("/sync/hooks", data="{}", headers=BEARER, content_type="text/plain")
    refusal(answer, 415, "not_json")
    refusal(client.post("/sync/hooks", data="{}", headers=BEARER), 415, "not_json")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_a_right_proof_nothing_is_read(
    ring: Ring, panel: Panel, headers: dict[str, str]
) -> None:
    answer = ring(b"not even JSON", headers)
    refusal(answer, 401, "bad_proof")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert kept(panel) == 0


def test_a_right_bearer_with_a_wrong_signature_is_refused(ring: Ring) -> None:
    refusal(ring(headers=BEARER | signed(b"another body", SECRET)), 401, "bad_proof")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"event": "a.b"}'])
def test_what_cannot_be_read_is_refused_and_counted(ring: Ring, panel: Panel, body: bytes) -> None:
    before = counted("unreadable")
    refusal(ring(body), 422, "unreadable")
    assert counted("unreadable") == before + 1
    assert kept(panel) == 0


def test_a_long_id_is_refused(ring: Ring, panel: Panel) -> None:
    refusal(ring(id="x" * 201), 422, "bad_id")
    assert kept(panel) == 0


def test_only_posts_are_taken(client: FlaskClient) -> None:
    assert client.get("/sync/hooks").status_code == 405
