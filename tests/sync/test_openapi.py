"""The served description of hooks says what docs/hooks.md and the route itself say."""

import re
from pathlib import Path

from panel.demo.worlds import SECRET
from panel.sync.events import KINDS
from panel.sync.openapi import ANSWER_MEANINGS
from tests.conftest import Panel

HOOKS = (Path(__file__).resolve().parents[2] / "docs/hooks.md").read_text(encoding="utf-8")
PATH = "/sync/openapi.json"


def test_anybody_may_read_it_and_it_holds_no_secret(standing: Panel) -> None:
    answer = standing.ask("GET", PATH)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.1")
    assert SECRET not in answer.text


def test_its_answers_are_those_of_the_text() -> None:
    rows = re.findall(r"^\| (\d{3}[^|]*)\|", HOOKS, re.MULTILINE)
    statuses = {int(number) for row in rows for number in re.findall(r"\b\d{3}\b", row)}
    assert statuses == set(ANSWER_MEANINGS)


def test_it_names_every_kind(standing: Panel) -> None:
    ring = standing.ask("GET", PATH).json()["paths"]["/sync/hooks"]["post"]
    assert ring["description"].removeprefix("Kinds: ").split(", ") == list(KINDS)


def test_its_example_is_accepted(standing: Panel) -> None:
    ring = standing.ask("GET", PATH).json()["paths"]["/sync/hooks"]["post"]
    example = ring["requestBody"]["content"]["application/json"]["example"]
    assert standing.ask("POST", "/sync/hooks", SECRET, json=example).status_code == 202


def test_it_names_the_answers_that_say_when_to_come_again(standing: Panel) -> None:
    answers = standing.ask("GET", PATH).json()["paths"]["/sync/hooks"]["post"]["responses"]
    assert {status for status, answer in answers.items() if "headers" in answer} == {"429", "503"}
