"""The rules for templates and for all that a browser loads, read from the files."""

import re
from pathlib import Path

import pytest

from tests.source_tree import HTMX, ROOT

TEMPLATES = sorted((ROOT / "templates").glob("**/*.*"))
# The files that a browser loads, the demo's pages too: the demo needs no network either.
LOADED = [
    path
    for folder in ("templates", "static", "panel/demo")
    for path in sorted((ROOT / folder).glob("**/*"))
    if path.suffix in {".css", ".html", ".js", ".json", ".svg", ".txt"}
    and not path.name.endswith("LICENSE.txt")
]
COMMENTS = re.compile(r"\{#.*?#\}", re.DOTALL)
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


ATTRIBUTE = r"""<[a-z](?:[^<>"']|"[^"]*"|'[^']*')*\s{name}\s*="""

# The policy of the panel forbids the first rows. The last rows need eval, without which htmx would
# drop them, or fire without them.
FORBIDDEN_MARKUP = {
    "inline script": pattern(r"<script\b(?![^>]*\ssrc\s*=)|<script\b[^>]*>\s*[^<\s]"),
    "inline style": pattern(r"<style\b|" + ATTRIBUTE.format(name="style")),
    "on* attribute": pattern(ATTRIBUTE.format(name=r"on[a-z]+")),
    "script address": pattern(r"javascript:"),
    "hx-on": pattern(r"\bhx-on\b"),
    "js: value": pattern(r"""["'\s]js:"""),
    "trigger filter": pattern(r"""hx-trigger[\w:-]*\s*=\s*("[^"]*\[|'[^']*\[)"""),
}
UNESCAPED = pattern(r"\|\s*safe\b|autoescape\s+(false|off|0)")
# An address with a host; w3.org names namespaces, which nobody fetches
FOREIGN = pattern(r"""\b(?:https?|wss?)://(?!www\.w3\.org/)[\w\[]|(?:["'(=]|url\()\s*//[\w.-]""")


def text_of(path: Path) -> str:
    return COMMENTS.sub("", path.read_text(encoding="utf-8"))


def line_of(path: Path, text: str, position: int) -> str:
    return f"{path.relative_to(ROOT)}: ...{text[max(0, position - 20) : position + 60]!r}"


def test_there_are_templates_and_static_files() -> None:
    """Without files, the rules below would hold for an empty folder."""
    names = {path.relative_to(ROOT).as_posix() for path in [*TEMPLATES, *LOADED]}
    assert {"templates/base.html", "static/js/main.js", "static/panel.css", HTMX} <= names


@pytest.mark.parametrize("rule", sorted(FORBIDDEN_MARKUP))
def test_no_template_holds(rule: str) -> None:
    wrong = []
    for path in TEMPLATES:
        # Jinja's own syntax is no markup, and its quotes and signs would confuse the patterns
        text = JINJA.sub("", text_of(path))
        wrong += [line_of(path, text, m.start()) for m in FORBIDDEN_MARKUP[rule].finditer(text)]
    assert wrong == []


def test_no_template_switches_escaping_off() -> None:
    wrong = []
    for path in TEMPLATES:
        text = text_of(path)
        wrong += [line_of(path, text, match.start()) for match in UNESCAPED.finditer(text)]
    assert wrong == []


def test_nothing_that_a_browser_loads_names_a_foreign_host() -> None:
    wrong = []
    for path in LOADED:
        text = text_of(path)
        wrong += [line_of(path, text, match.start()) for match in FOREIGN.finditer(text)]
    assert wrong == []
