"""The panel's two scripts: the ES modules of `static/js`, put together into two files.

Browsers fetch the first script with the page, so that an open costs one request for it. The second
one holds what no first screen needs; the first one loads it once the panel is whole. Both are
classic scripts. No tool of Node is needed: our modules only import names from each other, and no
two of them declare the same name, so they may share one scope. `tests/web/test_bundle.py` checks
both.
"""

import re
from collections.abc import Iterable, Mapping

ENTRY, REST_ENTRY = "main.js", "rest.js"
IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const |let |function |async function )", re.MULTILINE)
SHARED = "window.panelParts"  # where the first script leaves what the second one imports from it


def bundle(modules: Mapping[str, str]) -> tuple[str, str]:
    """Return the first and the second script, made from the texts in `modules`, by name."""
    first = _order(modules, ENTRY)
    rest = [name for name in _order(modules, REST_ENTRY) if name not in first]
    pairs = (pair for name in rest for pair in IMPORT.findall(modules[name]))
    names = {word for words, name in pairs if name in first for word in re.findall(r"\w+", words)}
    shared = f"{{ {', '.join(sorted(names))} }}"
    return (
        _join([*_strip(modules, first), f"{SHARED} = {shared};\n"]),
        _join([f"const {shared} = {SHARED};\n", *_strip(modules, rest)]),
    )


def _order(modules: Mapping[str, str], entry: str) -> list[str]:
    """Name the modules behind an entry: each stands behind all that it imports."""
    names: list[str] = []

    def add(name: str) -> None:
        if name not in names:
            for _, imported in IMPORT.findall(modules[name]):
                add(imported)
            names.append(name)

    add(entry)
    return names


def _strip(modules: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [EXPORT.sub("", IMPORT.sub("", modules[name])) for name in names]


def _join(texts: Iterable[str]) -> str:
    return f'(() => {{\n"use strict";\n{"".join(texts)}}})();\n'
