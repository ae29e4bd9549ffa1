"""Plain values that several records share, and the readers of PHP's forms of them.

Every `read_…` raises `ValueError` with a short reason, which names no value.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from panel import exact_json
from panel.errors import Unreadable
from panel.models.text import clean, decode_entities

LONGEST_ILLEGIBLE = 40
LONGEST_WHOLE_NUMBER = 18  # digits

# Names of statuses on the plugin's own screens in Brazil, and other spellings.
OTHER_NAMES = {
    "ativo": "active",
    "ativa": "active",
    "publicado": "publish",
    "publicada": "publish",
    "concluido": "completed",
    "concluida": "completed",
    "pendente": "pending",
    "rascunho": "draft",
    "arquivado": "archived",
    "arquivada": "archived",
    "inativo": "inactive",
    "inativa": "inactive",
    "erro": "error",
    "falhou": "failed",
    "suspenso": "suspended",
    "suspensa": "suspended",
    "expirado": "expired",
    "expirada": "expired",
    "cancelado": "cancelled",
    "cancelada": "cancelled",
    "canceled": "cancelled",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Status:
    """`value`: lower case, hyphens, without `wc-`; `raw`: as the back office wrote it."""

    value: str
    raw: str


NO_STATUS = Status("unknown", "")


@dataclass(frozen=True)
class Illegible:
    """A value that decides something and cannot be read.

    `text`: the text that came, as far as it is shown; `cut`: there was more; `compound`: it was a
    JSON object or list, in which anything may stand.
    """

    text: str
    cut: bool = False
    compound: bool = False


@dataclass(frozen=True)
class Oddity:
    """An odd value, for the log, which does not get the value. `record`: its id, or its place."""

    record: str
    field: str
    reason: str


def make_illegible(value: Any) -> Illegible:
    text = clean(value if isinstance(value, str) else exact_json.encode(value).decode())
    cut = len(text) > LONGEST_ILLEGIBLE
    return Illegible(text[:LONGEST_ILLEGIBLE], cut, isinstance(value, dict | list))


def read_list(value: Any) -> list[Any]:
    """Read a list, also as PHP writes one whose keys are not 0, 1, 2 …: an object keyed by digits.

    Raises `Unreadable("wrong_shape")` for anything else. An empty object is no list, for it may be
    any object.
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(re.fullmatch("[0-9]+", key) for key in value):
        return list(value.values())
    raise Unreadable("wrong_shape", "not a list")


def read_whole(row: Row, key: str) -> int | None:
    """Read an integer, its digits in a string, or one with a zero fraction: PHP writes all."""
    value = row.get(key)
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(rf"-?[0-9]{{1,{LONGEST_WHOLE_NUMBER}}}", value):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if is_short(value) and value == value.to_integral_value() else None
    return value if isinstance(value, int) and abs(value) < 10**LONGEST_WHOLE_NUMBER else None


def write_number(value: Any) -> str:
    """Write a number as the text that it was; empty for zero, for no number, and where PHP has
    rounded it: of a long number it keeps the first digits and the exponent."""
    if isinstance(value, Decimal) and is_short(value) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, Decimal) and value.adjusted() >= LONGEST_WHOLE_NUMBER:
        return ""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return str(value) if is_number and value else ""


def is_short(number: Decimal) -> bool:
    """Tell whether the number may be used in arithmetic, which on 1e9999999 would never end."""
    exponent = number.as_tuple().exponent
    return (
        isinstance(exponent, int)
        and exponent > -LONGEST_WHOLE_NUMBER * 3
        and number.adjusted() < LONGEST_WHOLE_NUMBER
    )


def is_nothing(value: Any) -> bool:
    """Tell whether PHP writes the value for an absent one; a zero may be a value."""
    return value is None or value is False or value in ("", [], {})


def read_status(value: Any) -> Status | None:
    """Read `wc-On Hold`, `on_hold`, `On Hold` all as `on-hold`."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("no status")
    return _parse_status(value)


@lru_cache(maxsize=1024)  # many rows share a few statuses
def _parse_status(text: str) -> Status | None:
    raw = decode_entities(text)
    if not raw:
        return None
    name = re.sub(r"[\s_]+", "-", raw.lower()).removeprefix("wc-")
    return Status(OTHER_NAMES.get(_strip_accents(name), name), raw)


def _strip_accents(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character))
