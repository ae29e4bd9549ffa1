"""Chatwoot's filter language, as its contact and conversation filters understand it.

Source: services/filter_service.rb, services/contacts/filter_service.rb, filter_keys.yml (v4.15.1).
Conditions are joined flat: AND binds tighter than OR, there are no parentheses. `equal_to` of
contacts compares with `values[0]` alone; of conversations with all. Text compares without case.
A custom attribute can be filtered only when a definition for it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panel.demo.account import Refusal
from panel.demo.world import Json

Test = Callable[[Json], bool]

_TEXT = {"equal_to", "not_equal_to", "contains", "does_not_contain"}
_RANGE = {"is_greater_than", "is_less_than"}
_PRESENT = {"is_present", "is_not_present"}
_OPERATORS: dict[str, set[str]] = {
    "text": _TEXT,
    "phone": _TEXT | {"starts_with"},
    "labels": {"equal_to", "not_equal_to"} | _PRESENT,
    "exact": {"equal_to", "not_equal_to"} | _PRESENT,
    "number": {"equal_to", "not_equal_to", "is_greater_than", "is_less_than"},
    "date": {"equal_to", "not_equal_to"} | _RANGE,
    "flag": {"equal_to", "not_equal_to"},
}
# The types that Chatwoot's filter can cast; currency and percent have no mapping and break.
_CUSTOM_KINDS = {
    "text": "text",
    "link": "text",
    "list": "text",
    "number": "number",
    "date": "date",
    "checkbox": "flag",
}


@dataclass(frozen=True)
class Column:
    """A standard key: its kind (a key of _OPERATORS), how to read it, whether all values count."""

    kind: str
    read: Callable[[Json], Any]
    every_value: bool = False


def chosen(
    rows: Iterable[Json],
    payload: Any,
    columns: Mapping[str, Column],
    definitions: Iterable[Json],
) -> list[Json]:
    """The rows that the filter's `payload` lets through; 422 for a bad key, operator or value."""
    if not isinstance(payload, list) or not payload:
        raise Refusal(422, {"error": "param is missing or the value is empty: payload"})
    known = dict(columns) | _custom_columns(definitions, columns)
    groups = _groups(payload, known)
    return [row for row in rows if any(all(test(row) for test in group) for group in groups)]


def _custom_columns(definitions: Iterable[Json], standard: Mapping[str, Column]) -> dict[str, Any]:
    def column(definition: Json) -> Column:
        key = definition["attribute_key"]
        kind = _CUSTOM_KINDS.get(definition["attribute_display_type"], "broken")
        return Column(kind, lambda row: row["custom_attributes"].get(key))

    by_key = {row["attribute_key"]: row for row in definitions}
    return {key: column(row) for key, row in by_key.items() if key not in standard}


def _groups(payload: list[Json], columns: Mapping[str, Column]) -> list[list[Test]]:
    """The flat conditions as an OR of ANDs; a joint too many or too few is broken SQL: a 500."""
    groups: list[list[Test]] = [[]]
    for at, condition in enumerate(payload):
        groups[-1].append(_test(condition, columns))
        joint = str(condition.get("query_operator") or "").upper()
        last = at == len(payload) - 1
        if joint not in ("", "AND", "OR"):
            raise Refusal(422, {"error": 'Query operator must be either "AND" or "OR".'})
        if last == bool(joint):
            raise Refusal(500, {"status": 500, "error": "Internal Server Error"})
        if joint == "OR":
            groups.append([])
    return groups


def _test(condition: Json, columns: Mapping[str, Column]) -> Test:
    key = str(condition.get("attribute_key"))
    operator = str(condition.get("filter_operator"))
    values = condition.get("values")
    column = columns.get(key)
    if column is None:
        raise Refusal(422, {"error": f"Invalid attribute key - [{key}]."})
    if column.kind == "broken":
        raise Refusal(500, {"status": 500, "error": "Internal Server Error"})
    if operator not in _OPERATORS[column.kind]:
        raise Refusal(422, {"error": f"Invalid operator. The allowed operators for {key} differ."})
    if operator in _PRESENT:
        return lambda row: bool(column.read(row)) == (operator == "is_present")
    if not isinstance(values, list) or not values:
        raise Refusal(422, {"error": f"Invalid value. The values for {key} are invalid"})
    wanted = [_norm(column.kind, value) for value in values]
    if not column.every_value:
        wanted = wanted[:1]
    return lambda row: _holds(operator, _read(column, row), wanted)


def _read(column: Column, row: Json) -> Any:
    value = column.read(row)
    if column.kind == "labels":
        return [str(label).lower() for label in value]
    return None if value is None else _norm(column.kind, value)


def _norm(kind: str, value: Any) -> Any:
    if kind == "phone":
        return "+" + str(value).replace("+", "")
    if kind == "flag":
        return str(value).lower() in ("true", "t", "1")
    if kind == "number":
        return _as_number(value)
    return str(value).lower()


def _as_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        # The database refuses the cast.
        raise Refusal(500, {"status": 500, "error": "Internal Server Error"}) from None


def _holds(operator: str, value: Any, wanted: list[Any]) -> bool:
    if isinstance(value, list):
        return (wanted[0] in value) == (operator == "equal_to")
    if operator == "not_equal_to":
        return value not in wanted
    if operator == "does_not_contain":
        return value is None or wanted[0] not in value
    if value is None:
        return False
    return _COMPARE[operator](value, wanted)


_COMPARE: dict[str, Callable[[Any, list[Any]], bool]] = {
    "equal_to": lambda value, wanted: value in wanted,
    "contains": lambda value, wanted: wanted[0] in value,
    "starts_with": lambda value, wanted: value.startswith(wanted[0]),
    "is_greater_than": lambda value, wanted: value > wanted[0],
    "is_less_than": lambda value, wanted: value < wanted[0],
}
