"""The rules of the house, read from the files: who may import whom, and how long it may be.

Nothing here imports the panel: a rule holds for code that never runs.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source_tree import (
    BEHIND_THE_FACES,
    FOLDERS,
    HOUSE,
    MODULES,
    ROOT,
    TREES,
    at,
    imports,
    loads,
    ours,
    place,
    within,
)

READING_WING, WRITING_WING = ("panel.customer", "panel.web"), ("panel.sync",)
MOST_MODULES = 12  # directly in `panel/`
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40  # lines
WIDEST_LINE = 120  # of a template

# The libraries, each with the only modules that may import it. The demo and the tests are not bound
# by this, because they play the outside worlds.
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
# These modules are loaded by name when they are needed. So a process that has nothing to upgrade
# does not hold Alembic's 4 MB, and a command that executes no pass does not load the engine.
LOADED_LATE = {
    "panel.data.migrations.upgrade",
    "panel.sync.engine_client",
    "panel.sync.executor",
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def test_every_module_has_its_place_in_the_house() -> None:
    assert [name for name in MODULES if name not in FOLDERS and place(name) is None] == []


def test_the_map_names_modules_that_are_there() -> None:
    """Otherwise the other rules would hold for an empty folder."""
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
    return [ast.unparse(argument).strip("'") for argument in call.args] in [
        [one] for one in LOADED_LATE
    ]


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


# -- sizes -----------------------------------------------------------------------------------------


def list_files(*patterns: str) -> list[Path]:
    """Return our files that match these patterns. The rules of style do not hold for libraries that
    others wrote."""
    files = (path for pattern in patterns for path in sorted(ROOT.glob(pattern)))
    return [path for path in files if "vendor" not in path.parts]


PYTHON = list_files("*.py", "bench/**/*.py", "panel/**/*.py", "tests/**/*.py")
SCRIPTS = list_files("static/**/*.js", "panel/demo/static/*.js")
PAGES = list_files("templates/**/*.*", "panel/demo/static/*.html")


def read_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_no_module_is_long() -> None:
    assert [path for path in [*PYTHON, *SCRIPTS] if len(read_lines(path)) > LONGEST_MODULE] == []
    assert min(len(PYTHON), len(SCRIPTS)) > 10, "else the rule would hold of an empty folder"


def test_no_function_is_long() -> None:
    wrong = []
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                wrong += [(path, node.name, lines)] if lines > LONGEST_FUNCTION else []
    assert wrong == []


def test_no_line_of_a_template_is_wide() -> None:
    wrong = []
    for path in PAGES:
        lines = enumerate(read_lines(path), start=1)
        wrong += [(path, number) for number, line in lines if len(line) > WIDEST_LINE]
    assert wrong == []
    assert len(PAGES) > 10, "else the rule would hold of an empty folder"


# -- privates --------------------------------------------------------------------------------------

# Private names of other programs, which have no public one for what a test has to know.
FOREIGN_PRIVATES = {"_sys_db"}  # DBOS 3.4: the engine of SQLAlchemy that it made


def test_tests_and_benchmarks_use_what_everybody_may_use() -> None:
    """Otherwise a change of the panel's inside would break tests of its behaviour."""
    wrong = []
    for path in list_files("bench/**/*.py", "tests/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            names = [name for name in _privates(node) if name not in FOREIGN_PRIVATES]
            wrong += [(path, names)] if names else []
    assert wrong == []


def _privates(node: ast.AST) -> Iterator[str]:
    """Yield the private names of other objects and modules that are used here."""
    if isinstance(node, ast.Attribute) and not _is_own(node.value):
        yield from [node.attr] if _is_private(node.attr) else []
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names if _is_private(alias.name))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")
