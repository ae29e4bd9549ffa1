"""The recordings of a real Chatwoot, and how an answer differs from one in shape."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panel.demo.world import Json

FOLDER = Path(__file__).parent.parent / "recordings"
_CUT_LIST = re.compile(r"… \d+ more\Z")
_CUT_TEXT = re.compile(r"(.*)… \((\d+) characters\)\Z", re.DOTALL)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+00:00)\Z")


@dataclass(frozen=True)
class Recorded:
    """A recorded call; `content_type` is None where it was not written down."""

    name: str
    caller: str
    method: str
    path: str
    request: Any
    status: int
    content_type: str | None
    answer: Any


def read_calls() -> list[Recorded]:
    files = ("chatwoot-4.16.2-calls.json", "chatwoot-4.16.2-more.json")
    rows: list[Json] = [row for name in files for row in json.loads((FOLDER / name).read_text())]
    return [
        Recorded(
            row["what"],
            row["as"],
            row["method"],
            row["path"],
            _uncut(row["request"]),
            row["status"],
            row.get("content_type"),
            row["answer"],
        )
        for row in rows
    ]


def read_deliveries() -> list[Json]:
    rows: list[Json] = json.loads((FOLDER / "chatwoot-4.16.2-webhooks.json").read_text())
    return rows


def _uncut(value: Any) -> Any:
    """Return a text that was cut for the recording in full length; all such texts repeat one
    sign."""
    if isinstance(value, dict):
        return {key: _uncut(element) for key, element in value.items()}
    if isinstance(value, str) and (cut := _CUT_TEXT.match(value)):
        return cut[1][0] * int(cut[2])
    return value


def list_differences(real: Any, ours: Any, at: str = "") -> Iterator[str]:
    """Return the differences: in keys, JSON types, lengths of lists, forms of moments.

    Elements of lists are compared by their place.
    """
    if _kind(real) != _kind(ours):
        yield f"{at}: {_kind(ours)}, not {_kind(real)}"
    elif isinstance(real, dict):
        yield from (f"{at}.{key}: missing" for key in real if key not in ours)
        yield from (f"{at}.{key}: not in the real one" for key in ours if key not in real)
        for key in real.keys() & ours.keys():
            yield from list_differences(real[key], ours[key], f"{at}.{key}")
    elif isinstance(real, list):
        items = [
            element
            for element in real
            if not (isinstance(element, str) and _CUT_LIST.match(element))
        ]
        if len(ours) < len(items) or (len(items) == len(real) and len(ours) > len(items)):
            yield f"{at}: {len(ours)} long, not {len(real)}"
        for number, (recorded, other) in enumerate(zip(items, ours, strict=False)):
            yield from list_differences(recorded, other, f"{at}[{number}]")


def _kind(value: Any) -> str:
    names = {dict: "object", list: "list", bool: "boolean", type(None): "null"}
    if isinstance(value, str):
        return "moment" if _MOMENT.match(value) else "text"
    return names.get(type(value), type(value).__name__)
