"""No foreign value breaks its parser: it is read, or refused with the documented error."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.amount import CASES, SEED
from tests.fuzz.parsers import PARSERS, Parser, try_parser


@pytest.mark.parametrize("name", PARSERS)
def test_no_value_breaks_a_parser(name: str) -> None:
    print(f"seed {SEED}, {CASES} values")  # noqa: T201
    make_attack(PARSERS[name])()


def make_attack(parser: Parser) -> Any:
    """Make the test of one parser, which draws its values by itself."""

    @seed(SEED)
    @settings(max_examples=CASES, suppress_health_check=list(HealthCheck))
    @given(parser.values)
    def attack(value: Any) -> None:
        try_parser(parser, value)

    return attack
