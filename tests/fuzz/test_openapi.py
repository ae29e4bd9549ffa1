"""The route of hooks does what its served description says, also with hooks that break it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from panel.demo.worlds import SECRET
from tests.conftest import Panel
from tests.fuzz.amount import DOOR_CASES, SEED

PATH = "/sync/openapi.json"
BEARER = {"Authorization": f"Bearer {SECRET}"}
CONFORMANCE = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_answer_is_a_described_one(mode: GenerationMode, standing: Panel) -> None:
    """A hook that the description forbids has to be refused, and one without its proof as well."""
    print(f"seed {SEED}, {DOOR_CASES} hooks")  # noqa: T201
    hooks = openapi.from_url(standing.url + PATH)["/sync/hooks"]["POST"]
    is_forbidden = mode is GenerationMode.NEGATIVE
    checks = [*CONFORMANCE, *([negative_data_rejection] if is_forbidden else [ignored_auth])]

    @seed(SEED)
    @settings(max_examples=DOOR_CASES, suppress_health_check=list(HealthCheck))
    @given(hooks.as_strategy(generation_mode=mode))
    def ring(case: Case[Any]) -> None:
        case.call_and_validate(headers=BEARER, checks=checks)

    ring()
