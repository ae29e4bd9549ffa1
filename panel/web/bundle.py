"""The panel's script: the ES modules of `static/js`, put together into one file.

Browsers fetch this one script, so that an open costs one request for it. A classic script also runs
before htmx starts, and a module does not. No tool of Node is needed: our modules only import names
from each other, and no two of them declare the same name, so they may share one scope.
`tests/web/test_bundle.py` checks both.
"""

import re
from collections.abc import Mapping

ENTRY = "main.js"
IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const |let |function )", re.MULTILINE)


def bundle(modules: Mapping[str, str]) -> str:
    """Join the texts in `modules`, by name: first all that `ENTRY` imports, then `ENTRY` itself."""
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in ordered:
            for needed in IMPORT.findall(modules[name]):
                add(needed)
            ordered[name] = EXPORT.sub("", IMPORT.sub("", modules[name]))

    add(ENTRY)
    return f'(() => {{\n"use strict";\n{"".join(ordered.values())}}})();\n'
