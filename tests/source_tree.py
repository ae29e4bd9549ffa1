"""The repository's files as the rules of the house read them: nothing is imported or run."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HTMX = "static/vendor/htmx-4.0.1.min.js"


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
# The `__init__` of a folder has only a docstring, which names the folder's subject.
FOLDERS = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def read_map() -> list[str]:
    """Return the modules in the order of the map in the docstring of `panel`; `demo` as a whole."""
    rows = re.findall(
        r"^    (\S+/|\.)? +(.+)$", ast.get_docstring(TREES["panel"]) or "", re.MULTILINE
    )
    house, folder = [], ""
    for names, modules in rows:
        folder = names.rstrip("/.") if names else folder
        prefix = f"panel.{folder}" if folder else "panel"
        words = re.findall(r"[a-z_]+", modules)
        house += [prefix] if folder == "demo" else [f"{prefix}.{word}" for word in words]
    return [*house, "app"]


HOUSE = read_map()


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Yield every import of a module as (module, line), relative ones resolved."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in MODULES else base), node.lineno


def loads(name: str) -> Iterator[tuple[str, int]]:
    """Yield the same, without the imports for types alone, which are never executed."""
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
