"""The table of reasons is complete: compared with the code, and with docs/operate.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from panel.errors import PanelError
from panel.sync.reasons import TRY_REASONS, explain_reason, find_reason
from panel.upstream.chatwoot_rejections import CODES_BY_WORDS, REMEDIES

ROOT = Path(__file__).resolve().parents[2]
# The other folders have errors of their own, which no pass meets.
FOLDERS = ("upstream", "sync", "data", "cache")
TREES = [
    ast.parse(path.read_text(encoding="utf-8"))
    for path in [
        ROOT / "panel/errors.py",
        *(p for f in FOLDERS for p in (ROOT / "panel" / f).rglob("*.py")),
    ]
]


def find_errors() -> set[str]:
    """Return the names of all our error classes."""
    names = {PanelError.__name__}
    classes = [node for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while more := {c.name for c in classes if {ast.unparse(b) for b in c.bases} & names} - names:
        names |= more
    return names


def find_constants() -> dict[str, str]:
    """Return the constants of any module that are texts."""
    fields: dict[str, str] = {}
    for tree in TREES:
        for node in tree.body:
            if isinstance(node, ast.Assign):
                fields |= _pair(node.targets[0], node.value)
    return fields


def _pair(target: ast.expr, value: ast.expr) -> dict[str, str]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        return {name: text for t, v in pairs for name, text in _pair(t, v).items()}
    if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
        return {target.id: value.value} if isinstance(value.value, str) else {}
    return {}


def find_codes() -> set[str]:
    """Return every code that our errors are made with, or have by their class."""
    errors, constants = find_errors(), find_constants()
    codes = {*CODES_BY_WORDS.values(), *REMEDIES}
    for tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in errors and node.args:
                codes |= set(_read_codes(node.args[0], constants))
            if isinstance(node, ast.ClassDef) and node.name in errors:
                codes |= set(_read_class_codes(node))
    return codes


def _read_codes(argument: ast.expr, constants: dict[str, str]) -> Iterator[str]:
    if isinstance(argument, ast.Constant):
        yield str(argument.value)
    elif isinstance(argument, ast.JoinedStr) and ast.unparse(argument).startswith("f'http_"):
        yield from ("http_404", "http_503")
    elif isinstance(argument, ast.Name) and argument.id in constants:
        yield constants[argument.id]
    elif isinstance(argument, ast.IfExp):
        yield from _read_codes(argument.body, constants)
        yield from _read_codes(argument.orelse, constants)


def _read_class_codes(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "code":
            yield from _read_codes(statement.value, {})


CODES = sorted(find_codes())


def test_the_codes_are_read_from_the_code() -> None:
    """Without codes, the rule below would hold for nothing."""
    assert {"timeout", "wrong_token", "unknown_organization", "contact_busy", "http_503"} <= {
        *CODES
    }
    assert len(CODES) > 30


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_words(code: str) -> None:
    assert code == "error" or find_reason(code) is not TRY_REASONS["error"]


@pytest.mark.parametrize("reason", ["no_organization", "lost its pass", "unexpected KeyError"])
def test_what_is_no_error_has_its_words_too(reason: str) -> None:
    assert find_reason(reason) is not TRY_REASONS["error"]


def test_the_document_has_the_same_table() -> None:
    text = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    section = text.partition("## What is tried again, and what is given up")[2].partition("\n## ")[
        0
    ]
    rows = re.findall(r"^\| `([^`|]+)` \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert rows == [(code, reason.words, reason.advice) for code, reason in TRY_REASONS.items()]


def test_a_reason_names_its_side_in_a_sentence() -> None:
    reason = explain_reason("http_503: status 503", "MIDDAG Account")
    assert reason == "MIDDAG Account answers with an error of its own (http_503: status 503)"
    assert explain_reason("no_organization") == "The plugin named no organization (no_organization)"
    assert explain_reason("what_is_this").startswith("A fault without a name (what_is_this)")


def test_no_advice_is_a_riddle() -> None:
    for code, reason in TRY_REASONS.items():
        assert reason.words[0].islower(), code
        assert reason.advice[0].isupper(), code
        assert not reason.advice.endswith("."), code
        assert "back office" not in reason.words + reason.advice, code
