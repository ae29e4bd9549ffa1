"""The rules of the house for names and files: what is called how, and what may stand where."""

import ast
import base64
import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from panel.environment.variables import VARIABLES
from tests.source_tree import BEHIND_THE_FACES, HTMX, MODULES, ROOT, TREES, within

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "app.py",
    "bench",
    "deploy",
    "docs",
    "gunicorn.conf.py",
    "panel",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements.lock",
    "static",
    "templates",
    "tests",
}
VAGUE = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
README_LINES = 150
MOST_WORD_LINES = 40
HTMX_SHA384 = "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn"


def test_no_module_has_a_vague_name() -> None:
    files = [*MODULES.values(), *(ROOT / "tests").glob("**/*.py")]
    parts = {path: {*path.stem.split("_"), path.parent.name} for path in files}
    assert [path for path, words in parts.items() if words & VAGUE] == []


def test_a_name_stands_for_one_thing() -> None:
    """A class or a constant of one module is called like none of another module."""
    places: dict[str, set[str]] = {}
    for name in BEHIND_THE_FACES:
        if within(name, ("panel.data.migrations.versions",)):
            continue  # each revision has the same three names, which Alembic asks for
        for defined in _defined_in(TREES[name]):
            places.setdefault(defined, set()).add(name)
    assert {word: found for word, found in places.items() if len(found) > 1} == {}


def _defined_in(tree: ast.Module) -> Iterator[str]:
    """Classes and constants of a module; type variables and logs are the same everywhere."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else ()
        for target in targets:
            found = [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
            yield from (each for each in found if len(each) > 1 and each not in ("log", "__all__"))


def test_the_words_are_few() -> None:
    lines = (ROOT / "docs/words.md").read_text(encoding="utf-8").splitlines()
    assert 0 < len(lines) <= MOST_WORD_LINES


def test_only_what_the_house_names_stands_at_the_top_level() -> None:
    assert _top_level() - TOP_LEVEL == set()


def _top_level() -> set[str]:
    """What git keeps or would keep; in a copy without git: all but what .gitignore names."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return {line.partition("/")[0] for line in listed.stdout.split("\0") if line}
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    return {path.name for path in ROOT.iterdir()} - ignored


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert 0 < len(lines) <= README_LINES


def test_the_readme_names_every_setting_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|([^|]*)\|", readme, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row)}
    assert named == {variable.name for variable in VARIABLES}


def test_htmx_is_the_file_that_was_chosen() -> None:
    digest = hashlib.sha384((ROOT / HTMX).read_bytes()).digest()
    assert base64.b64encode(digest).decode() == HTMX_SHA384
    assert (ROOT / "static/vendor/htmx-LICENSE.txt").is_file()
    assert [path.name for path in ROOT.glob("static/vendor/*.js")] == [Path(HTMX).name]
