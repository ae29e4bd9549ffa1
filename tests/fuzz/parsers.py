"""PARSERS: all functions that read foreign data without a call, a row each.

A row says which values a parser may get, and with which errors it may refuse them. Every other
error is a fault, and so is a result that breaks an assertion of the row's function.
"""

import ipaddress
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from panel.auth.throttle import normalize_address
from panel.auth.tokens import parse_bearer
from panel.data.search_index import make_terms, parse_query
from panel.environment.variables import VARIABLES
from panel.errors import PanelError, Unreadable
from panel.logs import request_id
from panel.logs.formatter import LogFormatter
from panel.models import dates, money, phones, text, values
from panel.models.countries import find_country
from panel.serving.framing import RequestScan
from panel.settings import SettingsError, from_env
from panel.sync import wire
from panel.sync.openapi import EXAMPLE_HOOK
from panel.upstream import chatwoot_parts, chatwoot_records, chatwoot_rejections, middag_rejections
from panel.upstream.addresses import make_url, tell_address
from panel.upstream.bodies import decode, decode_parts
from panel.upstream.cache_headers import find_age
from panel.upstream.documents import EVERY_DOCUMENT
from panel.upstream.record_documents import RECORD_DOCUMENTS
from panel.upstream.rejections import Rejection, is_challenge, name_by_status
from panel.web.formats import Formats, choose_locale
from tests.fuzz.values import (
    Strategy,
    bytes_like,
    changed_texts,
    documents_like,
    headers,
    odd_values,
    read_answers,
    read_records,
    texts,
)
from tests.sync.signed_hooks import SECRET, signed
from tests.worlds import environment

ENVIRONMENT = environment("http://a.invalid", "http://b.invalid", Path())
ZONE = from_env(ENVIRONMENT).timezone


@dataclass(frozen=True)
class Parser:
    """`read` gets one of `values`; `refuses`: the errors with which it may refuse it."""

    name: str
    values: Strategy
    read: Callable[[Any], object]
    refuses: tuple[type[Exception], ...] = ()


def try_parser(parser: Parser, value: Any) -> None:
    """Fails with every error but a documented refusal."""
    try:
        parser.read(value)
    except parser.refuses:
        return


def stays(read: Callable[[str], str | None], value: str) -> None:
    """Fails if a second normalization changes the value again."""
    once = read(value)
    assert once is None or read(once) == once


# -- texts of people and of PHP --------------------------------------------------------------------


def read_phone(pair: tuple[str, str | None]) -> None:
    number = phones.normalize_phone(*pair)
    phones.has_extension(*pair)
    phones.is_switchboard(*pair)
    phones.is_personal_phone(pair[0])
    phones.write_forms(pair[0])
    phones.identify_line(pair[0])
    if number:
        assert number in phones.list_spellings(number)
        assert number.removeprefix("+").isascii()


def read_amount(case: tuple[Any, Any, str]) -> None:
    value, currency, reading = case
    amount = money.read_amount(value, money.read_currency(currency), reading)
    if isinstance(amount, money.Money):
        Formats("pt_BR", ZONE).money(amount)


def read_day(value: Any) -> None:
    if (day := dates.read_date(value)) is not None:
        Formats("pt_BR", ZONE).day(day)
        dates.order_key(day)


def read_language(header: str) -> None:
    locale = choose_locale([header, *header.split(",")], "")
    assert locale in ("en", "pt_BR")


TEXTS = (
    Parser("e-mails", texts, partial(stays, text.normalize_email)),
    Parser("lines of text", texts, partial(stays, text.clean)),
    Parser("entities", texts, text.decode_entities),
    Parser("names with a tax id", texts, text.remove_tax_id),
    Parser("names with an address", texts, text.remove_addresses),
    Parser("tax ids", texts, text.format_tax_id),
    Parser("countries", texts, find_country),
    Parser("phones", st.tuples(texts, st.sampled_from((None, "BR", "AR", "XX", ""))), read_phone),
    Parser("statuses", odd_values, values.read_status, (ValueError,)),
    Parser("lists", odd_values, values.read_list, (Unreadable,)),
    Parser("values nobody can read", odd_values, values.make_illegible),
    Parser("dates", odd_values, read_day, (ValueError,)),
    Parser("amounts", st.tuples(odd_values, odd_values, st.sampled_from(("", "cents", "units"))),
           read_amount, (ValueError,)),
    Parser("searches", texts, parse_query),
    Parser("words of the search", st.tuples(st.lists(texts, max_size=3), texts),
           lambda pair: make_terms(1, pair[0], pair[1], pair[0], [], pair[0])),
    Parser("languages", headers | texts, read_language),
)  # fmt: skip


# -- answers of the outside worlds -----------------------------------------------------------------

RECORDS = read_records()
DOCUMENTS = {document.name: document for document in (*EVERY_DOCUMENT, *RECORD_DOCUMENTS)}
CONVERSATIONS, CONTACTS = read_answers("/conversations/"), read_answers("/contacts/")
SHAPES = {
    "a contact": (chatwoot_parts.ContactAnswer, CONTACTS),
    "contacts": (chatwoot_parts.ContactsAnswer, CONTACTS),
    "a conversation": (chatwoot_parts.ConversationPart, CONVERSATIONS),
    "messages": (chatwoot_parts.MessagesAnswer, read_answers("/messages") or CONVERSATIONS),
}
CHATWOOT = {
    "conversation": (chatwoot_records.parse_conversation, CONVERSATIONS),
    "listed conversation": (chatwoot_records.parse_listed, CONVERSATIONS),
    "message": (chatwoot_records.parse_message, CONVERSATIONS),
    "contact": (chatwoot_records.parse_contact, [row["meta"]["sender"] for row in CONVERSATIONS]),
    "sources": (chatwoot_records.read_sources, [{"contact_inboxes": [{"source_id": "1"}]}]),
    "agents": (chatwoot_records.parse_agents, read_answers("/agents")),
    "ids": (chatwoot_records.read_ids, read_answers("/agents")),
    "account": (chatwoot_records.read_locale, [{"locale": "pt_BR"}]),
}
HEADER_NAMES = (
    *("Age", "X-Cache", "CF-Cache-Status", "X-Varnish", "Server-Timing", "Cache-Control", "Server"),
    *("Content-Type", "WWW-Authenticate", "Location", "Retry-After", "sg-captcha", "X-Ac"),
)
some_headers = st.dictionaries(
    st.sampled_from(HEADER_NAMES),
    headers | st.sampled_from(("HIT", "1, 2", "9" * 30, "Wed, 30 Feb 2026 99:00:00 GMT")),
    max_size=4,
).map(CaseInsensitiveDict)
errors = documents_like(
    {"success": False, "errors": {"code": "NOT_FOUND"}},
    {"code": "rest_forbidden", "message": "No", "data": {"status": 403}},
    {"error": "Resource could not be found", "message": "x", "attributes": ["email"]},
)


def read_document(name: str, body: Any) -> None:
    value = DOCUMENTS[name].resource(42, "").parse(body)
    assert value is not None


def read_refusal(case: tuple[int, Mapping[str, str], Any]) -> None:
    rejection = Rejection(*case)
    is_challenge(rejection.headers)
    for name in (middag_rejections.name_rejection, chatwoot_rejections.name_rejection):
        error = name(rejection) or name_by_status(rejection)
        assert isinstance(error, PanelError)
        assert error.code


def read_age(fields: Mapping[str, str]) -> None:
    age = find_age(fields)
    assert age is None or 0 <= age <= 2**31


def read_body(raw: bytes) -> None:
    body, is_readable = decode(raw)
    assert is_readable or body is None


WORLDS = (
    *(Parser(f"document {name}", documents_like(RECORDS[name]), partial(read_document, name),
             (Unreadable,)) for name in DOCUMENTS),
    *(Parser(f"Chatwoot's {name}", documents_like(*genuine), read, (Unreadable,))
      for name, (read, genuine) in CHATWOOT.items()),
    *(Parser(f"parts of {name}", bytes_like(*genuine).map(bytearray),
             partial(lambda shape, raw: decode_parts(raw, shape), shape), (Unreadable,))
      for name, (shape, genuine) in SHAPES.items()),
    Parser("bodies", bytes_like(RECORDS["orders"]), read_body),
    Parser("headers of caches", some_headers, read_age),
    Parser("refusals", st.tuples(st.integers(200, 599), some_headers, errors), read_refusal),
    Parser("addresses", texts, tell_address, (ValueError,)),
    Parser("addresses below another", st.tuples(texts, texts), lambda pair: make_url(*pair),
           (ValueError,)),
)  # fmt: skip


# -- requests to the panel -------------------------------------------------------------------------

HOOK = json.dumps(EXAMPLE_HOOK).encode()
PROOF = {**signed(HOOK, SECRET), "authorization": f"Bearer {SECRET}"}
HEAD = (
    "POST /sync/hooks HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
)


@st.composite
def forged_proofs(draw: st.DrawFn) -> dict[str, str]:
    """A bearer or a signature in which at least one sign differs."""
    name = draw(
        st.sampled_from(("authorization", "webhook-signature", "webhook-id", "webhook-timestamp"))
    )
    names = {"authorization"} if name == "authorization" else set(PROOF) - {"authorization"}
    wrong = draw(changed_texts(PROOF[name]) | headers)
    return {key: PROOF[key] for key in names} | {name: wrong}


def check_forgery(forgery: dict[str, str]) -> None:
    """Fails if a forgery is accepted whose values differ from the genuine ones after parsing."""
    wire.check_proof(forgery, HOOK, (SECRET,))
    bearer = wire.BEARER.fullmatch(forgery.get("authorization", PROOF["authorization"]))
    assert bearer
    assert bearer[1] == SECRET
    for name in ("webhook-id", "webhook-timestamp"):
        assert forgery.get(name, PROOF[name]).strip() == PROOF[name]


def read_hook(raw: bytes) -> None:
    hook = wire.parse({}, raw)
    assert hook.id
    assert hook.kind.isprintable()
    assert hook.organization is None or 0 < hook.organization <= wire.MOST_ORGANIZATION


def read_settings(environ: dict[str, str]) -> None:
    settings = from_env(environ)
    assert all(secret not in repr(settings) for secret in settings.secrets)


def read_address(header: str) -> None:
    """Check that the key is an address, the network of a host, or empty."""
    key = normalize_address(header)
    if key:
        ipaddress.ip_network(key)


def read_request_id(header: str) -> None:
    request_id.begin(header)
    assert request_id.SAFE_ID.fullmatch(request_id.current())
    request_id.end()


def write_line(case: tuple[str, dict[str, Any]]) -> None:
    """Check that a record of the log is one line, whatever its fields hold."""
    record = logging.LogRecord("panel.x", logging.INFO, "", 0, "%s", (case[0],), None)
    record.fields = case[1]
    for is_readable in (True, False):
        assert "\n" not in LogFormatter(is_readable).format(record)


def read_request(head: str) -> None:
    RequestScan().look(bytearray(head.encode("latin-1")))


some_fields = st.dictionaries(st.sampled_from(("code", "kind")), odd_values)
some_settings = st.dictionaries(
    st.sampled_from([row.name for row in VARIABLES]),
    texts | st.sampled_from(["https://a.example", "1", SECRET]),
).map(lambda variables: ENVIRONMENT | variables)
KNOCKS = (
    Parser("hooks", bytes_like(EXAMPLE_HOOK), read_hook, (wire.Refusal,)),
    Parser("forged proofs", forged_proofs(), check_forgery, (wire.Refusal,)),
    Parser("content types", headers, wire.check_type, (wire.Refusal,)),
    Parser("bearers", headers, parse_bearer),
    Parser("forwarded addresses", texts | st.ip_addresses().map(str), read_address),
    Parser("request ids", headers | texts, read_request_id),
    Parser("requests as bytes", changed_texts(HEAD), read_request),
    Parser("settings", some_settings, read_settings, (SettingsError,)),
    Parser("lines of the log", st.tuples(texts, some_fields), write_line),
)  # fmt: skip

PARSERS = {parser.name: parser for parser in (*TEXTS, *WORLDS, *KNOCKS)}
