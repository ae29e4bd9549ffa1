"""The rules of the house, read from the files: who may import whom, and what may stand where.

Nothing here imports the panel but for its table of settings: a rule holds for code that never runs.
"""

import ast
import base64
import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from panel.settings import VARIABLES

ROOT = Path(__file__).resolve().parent.parent

READING_WING, WRITING_WING = ("panel.customer", "panel.web"), ("panel.sync",)
MOST_MODULES = 12  # directly in `panel/`

# Who alone may use what. The demo and the tests stand outside: they play the other side.
ONLY_IN = {
    "requests": ("panel.upstream.exchange", "panel.upstream.transport"),
    "urllib3": ("panel.upstream.transport",),
    "flask_caching": ("panel.cache.backend",),
    "cachetools": ("panel.cache.ttl_cache",),
    "gunicorn": ("panel.serving",),
    "alembic": ("panel.data.migrations",),
    "prometheus_client": ("panel.metrics",),
    "dbos": ("panel.sync.engine_client", "panel.sync.executor"),
    "flask": (
        *("panel.application", "panel.services", "panel.routes", "panel.web", "panel.cli"),
        *("panel.sync.plugin_hooks", "panel.sync.chatwoot_hooks", "panel.explain.page"),
    ),
}
# Loaded by name, when it is needed: who has nothing to upgrade does without Alembic's 4 MB, and a
# command that executes no pass without the durable engine.
LOADED_LATE = {
    "panel.data.migrations.upgrade",
    "panel.sync.engine_client",
    "panel.sync.executor",
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}

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
HTMX = "static/vendor/htmx-4.0.1.min.js"
HTMX_SHA384 = "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn"


# -- reading the code --------------------------------------------------------------------------


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for path in [*ROOT.glob("app.py"), *sorted(ROOT.glob("panel/**/*.py"))]
}
TREES = {
    name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()
}
BEHIND_THE_FACES = [name for name in MODULES if not name.startswith("panel.demo")]
# A folder's own docstring says what it holds; it does nothing.
FOLDERS = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def read_map() -> list[str]:
    """The house from the ground up, as the docstring of `panel` lists it; `demo` as a whole."""
    rows = re.findall(
        r"^    (\S+/|\.)? +(.+)$", ast.get_docstring(TREES["panel"]) or "", re.MULTILINE
    )
    house, folder = [], ""
    for named, listed in rows:
        folder = named.rstrip("/.") if named else folder
        prefix = f"panel.{folder}" if folder else "panel"
        words = re.findall(r"[a-z_]+", listed)
        house += [prefix] if folder == "demo" else [f"{prefix}.{word}" for word in words]
    return [*house, "app"]


HOUSE = read_map()


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Every (module, line) that a module imports, wherever in it, relative ones resolved."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in MODULES else base), node.lineno


def loads(name: str) -> Iterator[tuple[str, int]]:
    """The same without those for types alone, which nothing executes."""
    for_types = {
        row
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for row in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return ((to, line) for to, line in imports(name) if line not in for_types)


def _base(name: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = name.split(".")
    if MODULES[name].name == "__init__.py":
        package.append("")
    return ".".join([*package[: -node.level], *([node.module] if node.module else [])])


def within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def place(name: str) -> int | None:
    return next((row for row, entry in enumerate(HOUSE) if within(name, (entry,))), None)


def ours(name: str) -> bool:
    return within(name, ("app", "panel"))


def at(name: str, line: int) -> str:
    return f"{MODULES[name].relative_to(ROOT)}:{line}"


# -- imports -----------------------------------------------------------------------------------


def test_every_module_has_its_place_in_the_house() -> None:
    assert [name for name in MODULES if name not in FOLDERS and place(name) is None] == []


def test_the_map_names_modules_that_are_there() -> None:
    """Else the other rules would hold of an empty folder."""
    assert [name for name in HOUSE if name not in MODULES] == []
    assert len(HOUSE) > 50


def test_a_folder_stands_in_the_map_once() -> None:
    """The modules of one folder stand together, so that the folders have an order as well."""
    folders = [name.split(".")[1] for name in HOUSE if name.count(".") == 2]
    runs = [
        folder for folder, before in zip(folders, ["", *folders], strict=False) if folder != before
    ]
    assert len(runs) == len(set(runs))


def test_few_modules_stand_directly_in_panel() -> None:
    loose = [name for name in MODULES if name.count(".") == 1 and name not in FOLDERS]
    assert 0 < len(loose) <= MOST_MODULES


def test_a_folder_says_what_it_is_and_does_nothing() -> None:
    for name in FOLDERS:
        assert ast.get_docstring(TREES[name]), f"{name} does not say what it is"
        assert len(TREES[name].body) == 1, f"{name} does something"


def test_imports_point_to_what_stands_before() -> None:
    wrong = []
    for name in MODULES:
        for target, line in imports(name):
            mine, theirs = place(name), place(target)
            if not ours(target) or target in FOLDERS or mine is None:
                continue
            if theirs is None or theirs > mine:
                wrong.append(f"{at(name, line)}: {name} imports {target}")
    assert wrong == []


def test_nothing_imports_the_application() -> None:
    wrong = [
        at(name, line)
        for name in MODULES
        for target, line in imports(name)
        if target == "app" or (target == "panel.application" and name != "app")
    ]
    assert wrong == []


def test_the_wings_do_not_know_each_other() -> None:
    wrong = []
    for wing, other in ((READING_WING, WRITING_WING), (WRITING_WING, READING_WING)):
        for name in MODULES:
            if within(name, wing):
                wrong += [at(name, line) for to, line in imports(name) if within(to, other)]
    assert wrong == []


def test_no_import_hides_in_a_function() -> None:
    wrong = []
    for name, tree in TREES.items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                wrong += [at(name, line) for line in _loads(function)]
    assert sorted(set(wrong)) == []


def _loads(function: ast.AST) -> Iterator[int]:
    for node in ast.walk(function):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node.lineno
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in {"__import__", "import_module"} and not _is_loaded_late(node):
                yield node.lineno


def _is_loaded_late(call: ast.Call) -> bool:
    return [ast.unparse(each).strip("'") for each in call.args] in [[one] for one in LOADED_LATE]


def test_what_is_loaded_late_is_there_and_nobody_imports_it() -> None:
    assert MODULES.keys() >= LOADED_LATE
    wrong = [at(name, line) for name in MODULES for to, line in loads(name) if to in LOADED_LATE]
    assert wrong == []


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_has_its_one_place(library: str) -> None:
    wrong = [
        at(name, line)
        for name in BEHIND_THE_FACES
        for target, line in loads(name)
        if within(target, (library,)) and not within(name, ONLY_IN[library])
    ]
    assert wrong == []


def test_only_the_application_reads_the_environment() -> None:
    wrong = [
        at(name, line)
        for name in BEHIND_THE_FACES
        if name != "panel.application"
        for line in _environment_reads(TREES[name])
    ]
    assert wrong == []


def _environment_reads(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT:
            if isinstance(node.value, ast.Name) and node.value.id == "os":
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in ENVIRONMENT)
        elif isinstance(node, ast.Import):
            # under another name the check above would not see it
            yield from (node.lineno for a in node.names if a.name == "os" and a.asname)


# -- names and files ---------------------------------------------------------------------------


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


# -- templates ---------------------------------------------------------------------------------

TEMPLATES = sorted((ROOT / "templates").glob("**/*.*"))
# What a browser loads, the demo's pages too: the demo needs no network either.
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

# The policy of the panel forbids the first ones, and htmx without eval does not understand the
# last ones: it would drop them, or fire without them.
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
    """Else the rules below would hold of an empty folder."""
    names = {path.relative_to(ROOT).as_posix() for path in [*TEMPLATES, *LOADED]}
    assert {"templates/base.html", "static/js/main.js", "static/panel.css", HTMX} <= names


@pytest.mark.parametrize("rule", sorted(FORBIDDEN_MARKUP))
def test_no_template_holds(rule: str) -> None:
    wrong = []
    for path in TEMPLATES:
        # what Jinja writes is not markup, and its quotes and signs would confuse the patterns
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
