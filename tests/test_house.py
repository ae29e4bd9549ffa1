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

# The house from the ground up: a module imports only what stands before it. A row may be a module
# or a package. In the writing wing the door (`hooks`) comes last, for it opens on the engine.
HOUSE = (
    # plain values
    "panel.settings",
    "panel.errors",
    "panel.models",
    "panel.labels",
    "panel.phones",
    "panel.formats",
    "panel.pace",
    # tools
    "panel.breaker",
    "panel.http",
    "panel.flights",
    "panel.memory",
    "panel.marks",
    "panel.copies",
    "panel.store",
    "panel.cache",
    "panel.db",
    "panel.links",
    "panel.directory",
    "panel.terms",
    "panel.audit",
    "panel.attempts",
    "panel.journal",
    # the outside worlds
    "panel.middag",
    "panel.chatwoot",
    # hall
    "panel.access",
    "panel.sessions",
    "panel.profiles",
    "panel.proofs",
    "panel.services",
    # reading wing
    "panel.sections",
    "panel.identity",
    "panel.visits",
    "panel.verdicts",
    "panel.search",
    "panel.drawing",
    "panel.signing",
    "panel.views",
    "panel.actions",
    "panel.assets",
    "panel.health",
    # writing wing
    "panel.sync.wire",
    "panel.sync.events",
    "panel.sync.people",
    "panel.sync.conversations",
    "panel.sync.contacts",
    "panel.sync.budget",
    "panel.sync.turns",
    "panel.sync.door",
    "panel.sync.lease",
    "panel.sync.engine",
    "panel.sync.passes",
    "panel.sync.hooks",
    "panel.sync.webhooks",
    # for people
    "panel.terminal",
    "panel.sync.commands",
    "panel.installation",
    "panel.commands",
    "panel.demo",
    "app",
)
READING_WING = (
    *(
        "panel.sections",
        "panel.identity",
        "panel.visits",
        "panel.verdicts",
        "panel.search",
        "panel.drawing",
    ),
    *("panel.signing", "panel.views", "panel.actions", "panel.health", "panel.assets"),
)
WRITING_WING = ("panel.sync",)
MAPS = {"panel", "panel.sync"}  # their __init__.py holds a docstring and nothing else

# Who alone may use what. The demo and the tests stand outside: they play the other side.
ONLY_IN = {
    "requests": {"panel.http"},
    "urllib3": {"panel.http"},
    "flask_caching": {"panel.cache"},
    # the cache hands the application to flask-caching, which needs one
    "flask": {"app", "panel.cache", "panel.commands", "panel.services", "panel.sync.hooks"}
    | {"panel.sync.webhooks", "panel.sync.commands"}
    | {"panel.health", "panel.assets", "panel.drawing", "panel.signing"}
    | {"panel.views", "panel.actions"},
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
    assert [name for name in MODULES if name not in MAPS and place(name) is None] == []


def test_the_floors_are_all_there() -> None:
    """Else the other rules would hold of an empty folder."""
    reading = [entry for entry in HOUSE if not entry.startswith("panel.sync")]
    optional = {"panel.journal"}
    assert [e for e in reading if e not in MODULES and e not in optional] == []


def test_the_maps_hold_a_docstring_and_nothing_else() -> None:
    for name in MAPS & set(MODULES):
        assert ast.get_docstring(TREES[name]), f"{name} does not say what it is"
        assert len(TREES[name].body) == 1, f"{name} does something"


def test_imports_point_to_what_stands_before() -> None:
    wrong = []
    for name in MODULES:
        for target, line in imports(name):
            mine, theirs = place(name), place(target)
            if not ours(target) or target in MAPS or mine is None:
                continue
            if theirs is None or theirs > mine:
                wrong.append(f"{at(name, line)}: {name} imports {target}")
    assert wrong == []


def test_nothing_imports_app() -> None:
    wrong = [
        at(name, line) for name in MODULES for target, line in imports(name) if target == "app"
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
            if name in {"__import__", "import_module"}:
                yield node.lineno


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_has_its_one_place(library: str) -> None:
    wrong = [
        at(name, line)
        for name in BEHIND_THE_FACES
        for target, line in imports(name)
        if within(target, (library,)) and name not in ONLY_IN[library]
    ]
    assert wrong == []


def test_only_app_reads_the_environment() -> None:
    wrong = [
        at(name, line)
        for name in BEHIND_THE_FACES
        if name != "app"
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
    assert {"templates/base.html", "static/panel.js", "static/panel.css", HTMX} <= names


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
