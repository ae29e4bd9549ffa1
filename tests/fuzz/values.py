"""Foreign data: genuine values with some changes, and values that no real sender would send."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from panel.demo.worlds import demo_worlds
from tests.demo.recordings import read_calls
from tests.models.json_values import json_values
from tests.worlds import TODAY

Strategy = st.SearchStrategy[Any]
ACME = 42  # the organization of the demo that has something of everything

# Forms that PHP, browsers, spreadsheets and people have for nothing, much, dates, numbers and keys.
ODD_TEXTS = (
    *("", " ", "0", "-0", "null", "false", "NaN", "1e400", "-1", "1.250,00", "1,250.00", "٣", "½"),
    *("0000-00-00", "9999-12-31", "1970-01-01", "2026-02-30", "31/12/2026", "now", "1e5", "٢٠٢٦"),
    *("+5561999990001", "0055 (61) 9 9999-0001", "tel:+1;ext=5", "12.345.678/0001-95", "a@b", "@"),
    *("fe80::1%eth0", "[::1]:80", "1.2.3.4:99999", "pt-BR,en;q=x", "*", "Bearer ", "e30.e30.e30"),
    *("\x00", "\ud800", "\u202e", "\N{KELVIN SIGN}", "İ", "&#x110000;", "&amp;amp;"),
    *("\\'", "{{7*7}}", "2026-11-30T12:00:00+99:99", "<script>", "🇧🇷"),
    *("9" * 400, "a" * 5000, "../..", "%00", "\r\nX: y"),
)  # fmt: skip
texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=40)
odd_values = json_values | st.sampled_from(ODD_TEXTS) | st.integers(-(10**30), 10**30)
# The signs that a header may hold behind a web server.
headers = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80
)


@st.composite
def changed_texts(draw: st.DrawFn, genuine: str) -> str:
    """A genuine text with one to three signs taken away, replaced or put in, or cut off."""
    text = genuine
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(text) - 1, 0)))
        sign = draw(st.sampled_from(("", "A", ".", "=", "-", " ", "é", "\x00", genuine[:5])))
        rest = draw(st.sampled_from((text[place:], text[place + 1 :], "")))
        text = text[:place] + sign + rest
    return text


@st.composite
def changed_documents(draw: st.DrawFn, genuine: Any) -> Any:
    """A genuine document with up to five of its values replaced or taken away."""
    document = deepcopy(genuine)
    for _ in range(draw(st.integers(0, 5))):
        places = list(_list_places(document))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        if draw(st.booleans()):
            holder[key] = draw(odd_values)
        else:
            del holder[key]
    return document


def _list_places(document: Any) -> Iterator[tuple[Any, Any]]:
    pairs: list[tuple[Any, Any]] = list(document.items()) if isinstance(document, dict) else []
    pairs += enumerate(document) if isinstance(document, list) else ()
    for key, value in pairs:
        yield document, key
        yield from _list_places(value)


def documents_like(*genuine: Any) -> Strategy:
    return st.one_of(*(changed_documents(body) for body in genuine)) | odd_values


def bytes_like(*genuine: Any) -> Strategy:
    """JSON with changed values, JSON with changed text, or no JSON."""
    originals = [json.dumps(body) for body in genuine]
    as_values = documents_like(*genuine).map(lambda value: json.dumps(value, default=str))
    as_text = st.one_of(*(changed_texts(original) for original in originals))
    whole = (as_values | as_text).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return whole | st.binary(max_size=60)


# -- genuine ones ----------------------------------------------------------------------------------


def read_records() -> dict[str, Any]:
    """Bodies of the back office by the name of their document, as the cache keeps them."""
    office, _ = demo_worlds(TODAY)
    lists = ("orders", "quotes", "licenses", "collaborators", "entitlements")
    rows = {name: office.rows(name, ACME)[:3] for name in lists}
    bodies: dict[str, Any] = {
        name: {"rows": page, "total": len(page), "more": False} for name, page in rows.items()
    }
    bodies["organization"] = office.organizations[ACME]
    singles = {"order": "orders", "quote": "quotes", "entitlement": "entitlements"}
    bodies |= {name: rows[several][0] for name, several in singles.items()}
    return bodies | {"entitlement_orders": bodies["orders"]}


def read_answers(part: str) -> list[Any]:
    """A real Chatwoot's smallest answers to GETs of this part of its API."""
    answers = [
        call.answer
        for call in read_calls()
        if call.method == "GET" and call.status == 200 and part in call.path and call.answer
    ]
    return sorted(answers, key=lambda answer: len(str(answer)))[:4]
