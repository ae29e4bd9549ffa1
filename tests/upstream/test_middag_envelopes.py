"""The back office's API: envelopes and errors."""

import re
from typing import Any

import pytest

from panel.cache.policy import CacheControl
from panel.errors import Blocked, Missing, PanelError, Refused, Unauthorized, Unreadable
from panel.upstream.documents import ORDERS, ORGANIZATION, Document
from tests.upstream.office import Told, make_office, office, row

__all__ = ["make_office", "office"]  # fixtures


SHAPES: dict[str, Any] = {
    "no envelope": [row(1)],
    "no data": {"success": True},
    "null": None,
    "text": "hello",
    "null for data": {"data": None},
    "text for data": {"data": "none"},
    "an empty object for rows": {"data": {}},
    "a record for rows": {"data": {"status": "pending"}, "meta": {"total": 1}},
    "failure with 200": {"success": False, "data": []},
    "failure as a number": {"success": 0, "data": []},
    "failure as an empty text": {"success": "", "data": []},
    "failure as a text": {"success": "false", "data": []},
    "failure as a digit": {"success": "0", "data": []},
    "errors beside data": {"success": True, "data": [], "errors": {"code": "INTERNAL_ERROR"}},
    "none of those counted": {"data": [], "meta": {"total": 7}},
    "an error of WordPress": {"code": "x", "message": "y", "data": {"status": 200}},
    "an error of WordPress without details": {"code": "x", "message": "y", "data": []},
    "an error of a gateway": {"error": "upstream request failed", "data": []},
    "an empty object of which some are counted": {"data": {}, "meta": {"total": 1}},
}


@pytest.mark.parametrize("document", [ORGANIZATION, ORDERS], ids=lambda item: item.name)
@pytest.mark.parametrize("name", SHAPES)
def test_another_shape_is_never_read_as_nothing(
    make_office: Told, document: Document[Any], name: str
) -> None:
    office, _ = make_office(SHAPES[name])
    with pytest.raises(Unreadable) as error:
        office.fetch(document, 42)
    assert error.value.code == ("unreadable" if name == "text" else "wrong_shape")


@pytest.mark.parametrize(
    "document",
    [
        {"data": []},
        {"success": True, "data": [], "meta": None, "errors": None},
        {"success": 1, "data": [], "meta": [], "errors": []},
        {"success": "1", "data": [], "meta": {"total": 0, "pages": 0}, "errors": ""},
        {"success": None, "data": []},
        {"success": True, "data": {}, "meta": {"total": 0, "pages": 0}, "errors": {}},
        {"success": True, "data": [], "code": "ok", "error": False},
    ],
)
def test_an_empty_list_in_its_envelope_is_empty(make_office: Told, document: Any) -> None:
    office, _ = make_office(document)
    reading = office.read(ORDERS, 42, CacheControl.NO_CACHE)
    assert (reading.value.rows, reading.value.cut, reading.late) == ((), False, None)


def envelope(code: Any) -> dict[str, Any]:
    return {"success": False, "data": None, "errors": {"code": code, "detail": "x"}}


def native(code: str) -> dict[str, Any]:
    return {"code": code, "message": "x", "data": {"status": 404}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, envelope("NOT_FOUND"), Missing, "unknown_organization"),
        (404, native("rest_no_route"), Unreadable, "no_route"),
        (404, native("NOT_FOUND"), Unreadable, "no_route"),
        (404, envelope("OTHER"), Unreadable, "no_route"),
        (404, envelope(None), Unreadable, "no_route"),
        (404, {"errors": "NOT_FOUND"}, Unreadable, "no_route"),
        (404, "<html>", Unreadable, "no_route"),
        (404, "", Unreadable, "no_route"),
        (404, [], Unreadable, "no_route"),
        (401, envelope("AUTHENTICATION_ERROR"), Unauthorized, "unauthorized"),
        (401, native("unauthorized"), Unauthorized, "unauthorized"),
        (403, envelope("AUTHORIZATION_ERROR"), Refused, "denied"),
        (403, native("forbidden"), Refused, "denied"),
        (403, "<html>", Blocked, "blocked"),
        (401, native("rest_not_logged_in"), Blocked, "rest_closed"),
        (404, native("user_not_found"), Unauthorized, "user_not_found"),
        (500, native("config_error"), Unauthorized, "config_error"),
        (400, envelope("VALIDATION_ERROR"), Unreadable, "http_400"),
        (422, envelope("VALIDATION_ERROR"), Unreadable, "http_422"),
        (409, envelope("CONFLICT"), Unreadable, "http_409"),
        (204, "", Unreadable, "wrong_shape"),
    ],
    ids=lambda value: re.sub(r"\W+", " ", str(value))[:24],
)
def test_both_error_shapes_are_understood(
    make_office: Told, status: int, body: Any, kind: type[PanelError], code: str
) -> None:
    office, teller = make_office(body, status)
    documents: tuple[Document[Any], ...] = (ORGANIZATION, ORDERS)
    for document in documents:
        with pytest.raises(kind) as error:
            office.fetch(document, 42)
        assert error.value.code == code
    # A list is requested once more without the size of its pages, because the size may have been
    # refused.
    assert len(teller.pages) == (3 if status in (400, 422) else 2)
