"""Two scripts of many modules: joining them as text is safe, for our modules keep some rules."""

import re
from collections import Counter
from pathlib import Path

import pytest

from panel.web.bundle import ENTRY, IMPORT, REST_ENTRY, bundle
from tests.conftest import Panel

MODULES = {path.name: path.read_text() for path in Path("static/js").iterdir()}
DECLARED = re.compile(r"^(?:export )?(?:const|let|(?:async )?function) (\w+)", re.MULTILINE)
EXPORTED = re.compile(r"^export (?:const|let|function) (\w+)", re.MULTILINE)
NAMES = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";$', re.MULTILINE)
COMMENT = re.compile(r"(?m)(?:^|(?<=\s))//.*$")
TEXT = re.compile(r'"[^"\n]*"')


def imported(text: str) -> dict[str, set[str]]:
    """Return the names that a module imports from each other module."""
    return {module: set(re.findall(r"\w+", names)) for names, module in NAMES.findall(text)}


def test_each_module_is_small_and_says_what_it_is() -> None:
    assert len(MODULES) > 10
    assert [name for name, text in MODULES.items() if len(text.splitlines()) >= 120] == []
    assert [name for name, text in MODULES.items() if not text.startswith("// ")] == []


def test_no_two_modules_declare_the_same_name() -> None:
    counts = Counter(name for text in MODULES.values() for name in DECLARED.findall(text))
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_every_foreign_name_that_it_uses_and_no_other(name: str) -> None:
    text = MODULES[name]
    used = set(re.findall(r"(?<![.\w])\w+", TEXT.sub("", COMMENT.sub("", IMPORT.sub("", text)))))
    used |= set(re.findall(r"\$\{[^}]*?\b(\w+)", text))
    local = set(re.findall(r"(?:const|let) (\w+)|[({,] ?(\w+)(?= ?[,})=])", text))
    own = {part for pair in local for part in pair} | set(DECLARED.findall(text))
    for module, other in MODULES.items():
        offered, names = set(EXPORTED.findall(other)), imported(text).get(module, set())
        assert names <= offered, f"{module} does not export {names - offered}"
        assert names <= used, f"{names - used} of {module} is imported for nothing"
        assert module == name or (used & offered) - own <= names, f"not imported from {module}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    def reach(name: str, path: tuple[str, ...] = ()) -> None:
        assert name not in path, " imports ".join((*path, name))
        for _, needed in IMPORT.findall(MODULES[name]):
            reach(needed, (*path, name))

    reach(ENTRY)
    reach(REST_ENTRY)


def test_the_scripts_hold_every_module_once_behind_what_it_imports() -> None:
    script = "".join(bundle(MODULES))
    places = {name: script.find(text.splitlines()[0]) for name, text in MODULES.items()}
    assert [name for name, place in places.items() if place < 0] == []
    for name, text in MODULES.items():
        assert script.count(text.splitlines()[0]) == 1, name
        assert all(places[needed] < places[name] for _, needed in IMPORT.findall(text)), name
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)


def test_the_second_script_takes_from_the_first_what_never_changes() -> None:
    """A value that changes would stay as it was when the second script came."""
    first, rest = bundle(MODULES)
    offered = re.findall(r"^window\.panelParts = \{ (.*) \};$", first, re.MULTILINE)
    assert re.findall(r"^const \{ (.*) \} = window\.panelParts;$", rest, re.MULTILINE) == offered
    constants = re.findall(r"^(?:export )?(?:const|(?:async )?function) (\w+)", first, re.MULTILINE)
    assert len(offered[0].split(", ")) > 8
    assert set(offered[0].split(", ")) <= set(constants)


def test_modules_by_themselves_are_not_served(standing: Panel) -> None:
    assert standing.ask("GET", "/static/panel.js").ok
    assert standing.ask("GET", "/static/rest.js").ok
    for name in MODULES:
        assert standing.ask("GET", f"/static/js/{name}").status_code == 404
