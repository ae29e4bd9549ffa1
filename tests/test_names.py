"""The rules of the house for names, and for the places of files."""

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
    """No two modules have a class or a constant of the same name."""
    places: dict[str, set[str]] = {}
    for name in BEHIND_THE_FACES:
        if within(name, ("panel.data.migrations.versions",)):
            continue  # each revision has the same three names, which Alembic asks for
        for defined in _defined_in(TREES[name]):
            places.setdefault(defined, set()).add(name)
    assert {word: modules for word, modules in places.items() if len(modules) > 1} == {}


def _defined_in(tree: ast.Module) -> Iterator[str]:
    """Yield classes and constants of a module, without type variables and logs, which are the same
    everywhere."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else ()
        for target in targets:
            ids = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
            yield from (name for name in ids if len(name) > 1 and name not in ("log", "__all__"))


def test_the_words_are_few() -> None:
    lines = (ROOT / "docs/words.md").read_text(encoding="utf-8").splitlines()
    assert 0 < len(lines) <= MOST_WORD_LINES


def test_only_what_the_house_names_stands_at_the_top_level() -> None:
    assert _top_level() - TOP_LEVEL == set()


def _top_level() -> set[str]:
    """Return the names that git keeps or would keep; in a copy without git, those that .gitignore
    does not name."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return {line.partition("/")[0] for line in output.stdout.split("\0") if line}
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    return {path.name for path in ROOT.iterdir()} - ignored


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert 0 < len(lines) <= README_LINES


def test_the_readme_names_every_setting_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|([^|]*)\|", readme, re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row)}
    assert names == {variable.name for variable in VARIABLES}


def test_htmx_is_the_file_that_was_chosen() -> None:
    digest = hashlib.sha384((ROOT / HTMX).read_bytes()).digest()
    assert base64.b64encode(digest).decode() == HTMX_SHA384
    assert (ROOT / "static/vendor/htmx-LICENSE.txt").is_file()
    assert [path.name for path in ROOT.glob("static/vendor/*.js")] == [Path(HTMX).name]
