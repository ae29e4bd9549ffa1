"""The panel's script: the ES modules of `static/js`, put together into one file.

Browsers fetch one script, so that an open costs one request for it. A classic script also runs
before htmx starts, which a module does not. No tool of Node is needed: our modules import names
from each other and nothing else, and no two of them declare the same name, so they may share one
scope. `tests/web/test_bundle.py` holds them to that.
"""

import re
from collections.abc import Mapping

ENTRY = "main.js"
IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const |let |function )", re.MULTILINE)


def bundle(modules: Mapping[str, str]) -> str:
    """One script of the texts in `modules`, by name: `ENTRY`, and before it all that it imports."""
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in ordered:
            for needed in IMPORT.findall(modules[name]):
                add(needed)
            ordered[name] = EXPORT.sub("", IMPORT.sub("", modules[name]))

    add(ENTRY)
    return f'(() => {{\n"use strict";\n{"".join(ordered.values())}}})();\n'
