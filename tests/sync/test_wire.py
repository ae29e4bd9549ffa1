"""The format of a hook. Each forged defect is a test."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from panel.sync import wire
from panel.sync.wire import Hook, Refusal
from tests.sync.signed_hooks import BODY, SECRETS, STAMP


def parse(headers: dict[str, str] | None = None, **fields: Any) -> Hook:
    body = {"event": "order.paid", "timestamp": STAMP, **fields}
    return wire.parse(headers or {}, json.dumps(body).encode())


def unreadable(body: bytes, headers: dict[str, str] | None = None) -> Refusal:
    with pytest.raises(Refusal) as error:
        wire.parse(headers or {}, body)
    assert error.value.status == 422
    return error.value


# -- size and type ---------------------------------------------------------------------------------


def test_a_hook_of_exactly_the_largest_size_is_taken() -> None:
    wire.check_size(256 * 1024)


def test_one_byte_more_is_too_large() -> None:
    with pytest.raises(Refusal) as error:
        wire.check_size(256 * 1024 + 1)
    assert (error.value.status, error.value.code) == (413, "too_large")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken(kind: str) -> None:
    wire.check_type(kind)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonp", "application/x-json"])
def test_anything_else_is_not(kind: str) -> None:
    with pytest.raises(Refusal) as error:
        wire.check_type(kind)
    assert error.value.status == 415


# -- reading ---------------------------------------------------------------------------------------


def test_a_whole_hook() -> None:
    data = {"organization_id": 42, "id": 501}
    assert parse(id="evt_1", company="middag_br", data=data) == Hook(
        id="evt_1",
        kind="order.paid",
        occurred_at=datetime(2026, 5, 4, 14, 30, tzinfo=UTC).timestamp(),
        organization=42,
        subject="501",
    )


def test_the_header_s_id_comes_first() -> None:
    assert parse({"webhook-id": "header"}, id="body").id == "header"
    assert parse({"webhook-id": ""}, id="body").id == "body"


def test_a_number_is_an_id_too() -> None:
    assert parse(id=17).id == "17"


@pytest.mark.parametrize("nothing", [None, "", "  ", 0, "0"])
def test_without_an_id_the_same_body_is_the_same_hook(nothing: str | int | None) -> None:
    body = json.dumps({"event": "a.b", "timestamp": STAMP, "id": nothing}).encode()
    assert wire.parse({}, body).id == f"sha256:{sha256(body).hexdigest()}"


def test_an_id_of_200_characters_is_taken_and_one_more_is_not() -> None:
    assert parse(id="x" * 200).id == "x" * 200
    body = json.dumps({"event": "a.b", "timestamp": STAMP, "id": "x" * 201}).encode()
    assert unreadable(body).code == "bad_id"
    assert unreadable(BODY, {"webhook-id": "x" * 201}).code == "bad_id"


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "\x1b[31m", "a\x7f", "a\u2028b", "a\u202eb"])
def test_an_id_with_control_characters_is_refused(name: str) -> None:
    body = json.dumps({"event": "a.b", "timestamp": STAMP, "id": name}).encode()
    assert unreadable(body).code == "bad_id"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"order.paid"',
        b"{",
        b"{}x",
        b"\xef\xbb\xbf{}",
        b'{"timestamp": "2026-05-04T14:30:00Z"}',
        b'{"event": null, "timestamp": "2026-05-04T14:30:00Z"}',
        b'{"event": 1, "timestamp": "2026-05-04T14:30:00Z"}',
        b'{"event": "", "timestamp": "2026-05-04T14:30:00Z"}',
        b'{"event": "a\\u0000b", "timestamp": "2026-05-04T14:30:00Z"}',
        b'{"event": "a\\ud800", "timestamp": "2026-05-04T14:30:00Z"}',
        b'{"event": "' + b"a" * 201 + b'", "timestamp": "2026-05-04T14:30:00Z"}',
        b'{"event": "a.b"}',
        b'{"event": "a.b", "timestamp": null}',
        b'{"event": "a.b", "timestamp": 1777905000}',
        b'{"event": "a.b", "timestamp": "yesterday"}',
        b'{"event": "a.b", "timestamp": "2026-05-04"}',
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00"}',
        b'{"event": "a.b", "timestamp": "2026-13-04T14:30:00Z"}',
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "id": {}}',
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "id": true}',
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "id": 1.5}',
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "id": ' + b"9" * 300 + b"}",
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "x": "\xff"}',
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "data": "\xc3"}',
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "data": ' + b"[" * 100_000,
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "x": ' + b'{"a":' * 50_000,
        b'{"event": "a.b", "timestamp": "2026-05-04T14:30:00Z", "data": 1e999}',
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    unreadable(body)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    body = b'{"event": {"email": "maria@example.com"}, "timestamp": "2026-05-04T14:30:00Z"}'
    assert "maria" not in unreadable(body).detail


@pytest.mark.parametrize(
    "stamp",
    ["2026-05-04T11:30:00-03:00", "2026-05-04t14:30:00z", "2026-05-04T14:30:00.000Z"],
)
def test_any_rfc_3339_time_is_understood(stamp: str) -> None:
    assert parse(timestamp=stamp).occurred_at == parse().occurred_at


# -- organization and subject ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"organization_id": 42},
        {"organization_id": "42"},
        {"data": {"organization_id": 42}},
        {"data": {"organization": {"id": 42}}},
        {"data": {"organization": {"id": "42"}}},
        {"event": "organization.updated", "data": {"id": 42}},
        {"organization_id": None, "data": {"organization_id": 42}},
        {"organization_id": 0, "data": {"organization_id": "x", "organization": {"id": 42}}},
    ],
)
def test_the_organization_is_found_where_it_may_stand(fields: dict[str, Any]) -> None:
    assert parse(**fields).organization == 42


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -1, 4.0, 2**31, 10**30, [42], {"name": "x"}),
        *("", "0", "-1", "4.0", "4e1", " 4", "x", "٤", "9" * 30),
    ],
)
def test_what_is_no_id_is_no_organization(value: Any) -> None:
    assert parse(organization_id=value).organization is None
    assert parse(data={"organization_id": value, "organization": value}).organization is None


def test_the_largest_number_that_the_database_keeps_is_an_organization() -> None:
    assert parse(organization_id=2**31 - 1).organization == 2**31 - 1


@pytest.mark.parametrize("data", [None, 42, "42", [{"organization_id": 42}], {"id": 42}, {}])
def test_other_data_holds_none(data: Any) -> None:
    assert parse(data=data).organization is None


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        *((501, "501"), ("QUO-1", "QUO-1"), (-3, "-3"), (None, None), (True, None), (1.5, None)),
        *(("x" * 201, None), ("a\nb", None), ("", None), ([1], None), (10**250, None)),
    ],
)
def test_the_subject_is_the_record_s_id_as_text(value: Any, subject: str | None) -> None:
    assert parse(data={"id": value}).subject == subject


def test_an_organization_is_not_its_own_subject() -> None:
    assert parse(event="organization.updated", data={"id": 42}).subject is None


# -- random bodies
# -------------------------------------------------------------------------------------


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=8,
)
FIELDS = ("event", "timestamp", "id", "organization_id", "data")


@given(some.binary(max_size=300), some.text(max_size=20))
def test_garbage_is_refused_or_read_but_never_breaks(body: bytes, header: str) -> None:
    headers = {"webhook-id": header, "webhook-signature": header, "webhook-timestamp": header}
    with pytest.raises(Refusal):
        wire.check_proof(headers, body, SECRETS)
    with pytest.raises(Refusal):
        wire.check_proof({"authorization": header}, body, SECRETS)
    with pytest.raises(Refusal):
        wire.parse(headers, body)


@given(some.dictionaries(some.sampled_from(FIELDS), json_values), some.booleans())
def test_odd_documents_are_refused_or_read_into_what_can_be_kept(
    document: dict[str, Any], whole: bool
) -> None:
    if whole:
        document |= {"event": "order.paid", "timestamp": STAMP}
    body = json.dumps(document).encode()
    try:
        hook = wire.parse({}, body)
    except Refusal:
        return
    assert hook.id.isprintable()
    assert 0 < len(hook.id) <= 200
    assert hook.organization is None or 0 < hook.organization < 2**31
    assert hook.subject is None or (hook.subject.isprintable() and len(hook.subject) <= 200)
