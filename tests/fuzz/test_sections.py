"""A section is drawn for any records of the back office; it says "none" only if there are none."""

import time
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, seed, settings

from panel.cache.entries import Reading
from panel.errors import Unreadable
from panel.upstream.documents import is_empty
from panel.web.section_rendering import read_moment, render_section
from panel.web.sections import SECTIONS, make_view
from tests.conftest import Panel
from tests.fuzz.amount import DOOR_CASES, SEED
from tests.fuzz.parsers import RECORDS
from tests.fuzz.values import documents_like


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_is_drawn_and_none_is_said_of_none_alone(name: str, standing: Panel) -> None:
    print(f"seed {SEED}, {DOOR_CASES} answers")  # noqa: T201

    @seed(SEED)
    @settings(max_examples=DOOR_CASES, suppress_health_check=list(HealthCheck))
    @given(documents_like(RECORDS[name]))
    def draw(body: Any) -> None:
        check_section(standing.app, name, body)

    draw()


def check_section(app: Flask, name: str, body: Any) -> None:
    section = SECTIONS[name]
    try:
        value = section.document.resource(42, "").parse(body)
    except Unreadable:
        return
    with app.test_request_context("/sections"):
        view = make_view(
            section, Reading(value, time.time(), uuid4().hex), read_moment(), frozenset()
        )
        html = str(render_section(view, 42))
    assert f'data-section="{name}"' in html
    assert ("data-empty" in html) == is_empty(value)
    assert "data-empty" not in html or body["rows"] in ([], {})
