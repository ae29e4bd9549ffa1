"""Every field × every oddity of PHP: state, rows, words, log line. The answers are raw text."""

import json
import re
from typing import Any

import pytest

from tests.conftest import rows_of, state_of, words_of
from tests.web.odd_office import ODD, RIGHT, ROWS, Bench, Log, bench, log
from tests.web.oddity_table import CASES

__all__ = ["bench", "log"]  # fixtures


def make_list(name: str, **fields: Any) -> str:
    """Make a list of the odd record and a right one. A value of `raw` is JSON text that is sent
    unchanged."""
    odd = json.dumps({**ROWS[name], "id": ODD, **fields})
    odd = re.sub(r'"raw:((?:[^"\\]|\\.)*)"', lambda match: json.loads(f'"{match[1]}"'), odd)
    return f"[{odd}, {json.dumps({**ROWS[name], 'id': RIGHT})}]"


def row_of(html: str, number: int) -> str:
    row = re.search(rf'<li[^>]* data-row="{number}".*?</li>', html, re.DOTALL)
    return words_of(row[0]) if row else ""


@pytest.mark.parametrize(("name", "key", "value", "says", "odd"), CASES)
def test_an_odd_value_is_that_values_trouble(
    bench: Bench, log: Log, name: str, key: str, value: Any, says: str | None, odd: bool
) -> None:
    answer = bench.show(name, make_list(name, **{key: value}))
    assert (answer.status_code, state_of(answer.text)) == (200, "fresh")
    assert sorted(rows_of(answer.text)) == [ODD, RIGHT]
    row = row_of(answer.text, ODD)
    assert (says or "") in row
    assert ("unreadable" in row) is bool(says and says.startswith("unreadable"))
    assert (log.counted().get((name, key), 0) > 0) is odd
    lines = [line for line in log.lines() if f"record {ODD}: {key}: " in line]
    assert bool(lines) is odd
    text = value if isinstance(value, str) else json.dumps(value)
    assert not any(len(text) > 4 and text in line for line in lines)  # the log holds no value


def test_a_line_names_organization_document_record_field_and_reason(bench: Bench, log: Log) -> None:
    bench.show("orders", make_list("orders", total="R$ 10"))
    assert log.lines() == ["127.0.0.1: orders of organization 42: record 1: total: no amount"]


def test_repeated_oddities_are_counted_and_logged_once_a_minute(bench: Bench, log: Log) -> None:
    rows = [{**ROWS["orders"], "id": number, "total": "ten"} for number in range(1, 6)]
    bench.show("orders", json.dumps(rows))
    assert len(log.lines()) == 1
    assert log.counted()["orders", "total"] == 5
    bench.show("orders", json.dumps(rows[:1]))
    assert log.lines()[1].endswith("record 1: total: no amount, and 4 more like it")
