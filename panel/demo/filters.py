"""Chatwoot's filter language, as its contact and conversation filters understand it.

Source: services/filter_service.rb, helpers/filters/filter_helper.rb, filter_keys.yml (v4.16.2).
Conditions are joined flat: AND binds tighter than OR, there are no parentheses. `equal_to` of
contacts compares with `values[0]` alone; of conversations with all. Text is compared without case.
A custom attribute can be filtered only when a definition for it exists, by any operator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panel.demo.account import Refusal
from panel.demo.rails import SERVER_ERROR
from panel.demo.world import Json

Test = Callable[[Json], bool]
_PRESENT = ("is_present", "is_not_present")
_SUBSTRING = ("contains", "does_not_contain")
_DAY = 86400


@dataclass(frozen=True)
class Kind:
    """How values of a column compare; `operators` in the order in which a refusal lists them."""

    norm: Callable[[Any], Any]
    operators: tuple[str, ...] = ()


def _fold(value: Any) -> str:
    return str(value).lower()


def _with_plus(value: Any) -> str:
    return "+" + str(value).replace("+", "")


def _is_true(value: Any) -> bool:
    return _fold(value) in ("true", "t", "1")


def _as_day(value: Any) -> str:
    """Return the day of a moment, by which moments are compared."""
    if isinstance(value, int | float):
        return time.strftime("%Y-%m-%d", time.gmtime(value))
    return str(value)[:10]


def _as_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        # The database refuses the cast.
        raise Refusal(500, SERVER_ERROR) from None


_EQUAL = ("equal_to", "not_equal_to")
EXACT = Kind(_fold, _EQUAL)
CHOICE = Kind(_fold, (*_EQUAL, *_PRESENT))
TEXT = Kind(_fold, (*_EQUAL, *_SUBSTRING))
PHONE = Kind(_with_plus, (*_EQUAL, *_SUBSTRING, "starts_with"))
LABELS = Kind(_fold, (*_EQUAL, *_PRESENT))
MOMENT = Kind(_as_day, ("is_greater_than", "is_less_than", "days_before"))
FLAG = Kind(_is_true, _EQUAL)
# The types of custom attributes that the filter can cast; currency and percent break it.
_CUSTOM = {
    **dict.fromkeys(("text", "link", "list"), Kind(_fold)),
    "number": Kind(_as_number),
    "date": Kind(_as_day),
    "checkbox": Kind(_is_true),
}


@dataclass(frozen=True)
class Column:
    """`kind` is None where the filter breaks; `every_value`: all of `values` count."""

    kind: Kind | None
    read: Callable[[Json], Any]
    every_value: bool = False
    custom: bool = False


def choose_rows(
    rows: Iterable[Json],
    payload: Any,
    columns: Mapping[str, Column],
    definitions: Iterable[Json],
) -> list[Json]:
    """Return the rows that match the filter's `payload`; 422 for a bad key, operator or value.

    A payload that is no list breaks the filter; an empty list matches every row.
    """
    if not isinstance(payload, list):
        raise Refusal(500, SERVER_ERROR)
    columns_by_key = _custom_columns(definitions) | dict(columns)
    groups = _groups(payload, columns_by_key, ",".join(columns))
    return [row for row in rows if any(all(test(row) for test in group) for group in groups)]


def _custom_columns(definitions: Iterable[Json]) -> dict[str, Column]:
    def column(definition: Json) -> Column:
        key = definition["attribute_key"]
        kind = _CUSTOM.get(definition["attribute_display_type"])
        return Column(kind, lambda row: row["custom_attributes"].get(key), custom=True)

    return {row["attribute_key"]: column(row) for row in definitions}


def _groups(payload: list[Json], columns: Mapping[str, Column], keys: str) -> list[list[Test]]:
    """Return the conditions as an OR of ANDs; a joint too many or too few is a 500."""
    groups: list[list[Test]] = [[]]
    joints = [str(condition.get("query_operator") or "").upper() for condition in payload]
    if set(joints) - {"", "AND", "OR"}:
        raise Refusal(422, {"error": 'Query operator must be either "AND" or "OR".'})
    for condition, joint in zip(payload, joints, strict=True):
        groups[-1].append(_test(condition, columns, keys))
        if joint == "OR":
            groups.append([])
    if [bool(joint) for joint in joints] != [True] * (len(joints) - 1) + [False] * bool(joints):
        raise Refusal(500, SERVER_ERROR)
    return groups


def _test(condition: Json, columns: Mapping[str, Column], keys: str) -> Test:
    key, operator = str(condition.get("attribute_key")), str(condition.get("filter_operator"))
    column, values = columns.get(key), condition.get("values")
    if column and column.kind and not column.custom and operator not in column.kind.operators:
        operators = ",".join(column.kind.operators)
        words = f"Invalid operator. The allowed operators for {key} are [{operators}]."
        raise Refusal(422, {"error": words})
    if operator not in _PRESENT and not values:
        words = f"Invalid value. The values provided for {key} are invalid"
        raise Refusal(422, {"error": words})
    if column is None:
        words = f"Invalid attribute key - [{key}]. The key should be one of [{keys}] or a custom"
        raise Refusal(422, {"error": f"{words} attribute defined in the account."})
    if column.kind is None:
        raise Refusal(500, SERVER_ERROR)
    return _compare(column, column.kind, operator, values if isinstance(values, list) else [values])


def _compare(column: Column, kind: Kind, operator: str, values: list[Any]) -> Test:
    if operator in _PRESENT:
        is_present = operator == "is_present"
        return lambda row: (column.read(row) not in (None, [])) == is_present
    if operator == "days_before":
        operator, values = "is_less_than", [time.time() - int(values[0]) * _DAY]
    if operator in _SUBSTRING:
        # Phones are compared unchanged too; any one of the values may match.
        parts = [_fold(value).strip() for value in values]
        return lambda row: _contains(column.read(row), parts, operator)
    compared_values = [kind.norm(value) for value in values]
    compared_values = compared_values if column.every_value else compared_values[:1]
    return lambda row: _holds(column, kind, operator, column.read(row), compared_values)


def _contains(value: Any, parts: list[str], operator: str) -> bool:
    """Tell whether the value contains one of the parts. Neither operator matches an absent
    value."""
    if value is None:
        return False
    return any(part in _fold(value) for part in parts) == (operator == "contains")


def _holds(column: Column, kind: Kind, operator: str, value: Any, values: list[Any]) -> bool:
    if isinstance(value, list):
        return (values[0] in map(_fold, value)) == (operator == "equal_to")
    if value is None:
        # SQL's null is not different from anything; for custom attributes Chatwoot tests null
        # separately.
        return column.custom and operator == "not_equal_to"
    return _COMPARE.get(operator, _is_equal)(kind.norm(value), values)


def _is_equal(value: Any, values: list[Any]) -> bool:
    """Tell whether the value equals one of the values. Chatwoot compares like this by operators
    that it does not know, too; `starts_with` is one of them."""
    return value in values


_COMPARE: dict[str, Callable[[Any, list[Any]], bool]] = {
    "not_equal_to": lambda value, values: value not in values,
    "is_greater_than": lambda value, values: value > values[0],
    "is_less_than": lambda value, values: value < values[0],
}
