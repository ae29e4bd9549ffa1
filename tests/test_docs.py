"""Every name that an administrator, agent or plugin developer can meet stands in the documents.

The names are read from the tables that the program itself reads. A name is documented if it stands
in code (between backticks, or in a block of code) in the README or a file of `docs/`.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from panel.application import create_app
from panel.checks import CHECKS
from panel.cli import commands, console
from panel.cli.doctor import EXAMINATIONS
from panel.cli.sync import run_worker
from panel.environment.variables import VARIABLES
from panel.metrics import SECTION_STATES
from panel.services import Services, get
from tests.conftest import no_worlds, with_tables

ROOT = Path(__file__).resolve().parent.parent
PAST = "decisions.md"  # the reasons of the past: nobody looks there for the use of a setting
DOCUMENTS = {
    path.name: path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if path.name != PAST
}
CODE = re.compile(r"^ *```.*?^ *```|^ {4}[^\n]+|`[^`\n]+`", re.MULTILINE | re.DOTALL)
CODE_TEXT = "\n".join(code for text in DOCUMENTS.values() for code in CODE.findall(text))
VARYING_PART, ANY_SEGMENT = re.compile(r"<[^>]*>"), r"[^/\s`]+"


ALONE = r"(?<![\w./-])"
COMMAND = r"(?:`|--app app |middag-panel )"  # `run` of another program is none of ours
Lister = Callable[[Flask], Iterator[str]]


def is_documented(name: str, before: str = ALONE, code: str = CODE_TEXT) -> bool:
    """Tell whether a document has this name as code. A varying part of a route may stand there as
    any segment."""
    pattern = ANY_SEGMENT.join(re.escape(part) for part in VARYING_PART.split(name))
    return bool(re.search(rf"{before}{pattern}(?![\w/-])", code))


# -- each kind of thing ----------------------------------------------------------------------------


def list_settings(_app: Flask) -> Iterator[str]:
    yield from (variable.name for variable in VARIABLES)


def list_routes(app: Flask) -> Iterator[str]:
    """Yield routes such as `POST /sections/<name>/refresh`; HEAD and OPTIONS are the
    framework's."""
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {rule.rule}"


def list_commands(_app: Flask) -> Iterator[str]:
    """Yield commands such as `sync backfill`: those of `flask --app app`, and those that only
    `middag-panel` has."""
    for command in (*commands.COMMANDS, console.run, run_worker):
        yield from _list_below(command, "")


def _list_below(command: click.Command, before: str) -> Iterator[str]:
    name = f"{before}{command.name}"
    if not isinstance(command, click.Group):
        yield name
        return
    for below in command.commands.values():
        yield from _list_below(below, f"{name} ")


def list_metrics(app: Flask) -> Iterator[str]:
    """Yield the figures; a counter has its ending, as in Prometheus's queries."""
    figures = app.test_client().get("/metrics").get_data(as_text=True)
    for family in text_string_to_metric_families(figures):
        if family.name.startswith("panel_"):
            yield f"{family.name}_total" if family.type == "counter" else family.name


def list_alerts(_app: Flask) -> Iterator[str]:
    for group in YAML(typ="safe").load(ROOT / "deploy/alerts.yaml")["groups"]:
        yield from (rule["alert"] for rule in group["rules"])


def list_checks(_app: Flask) -> Iterator[str]:
    yield from (check.name for check in CHECKS)
    yield from (examination.name for examination in EXAMINATIONS)


def list_states(_app: Flask) -> Iterator[str]:
    """List the states of a section, an opened row and a summary, as the templates write them."""
    yield from SECTION_STATES
    for template in (ROOT / "templates").glob("**/*.html"):
        yield from re.findall(r'data-state="([\w-]+)"', template.read_text(encoding="utf-8"))


KINDS: dict[str, tuple[Lister, str]] = {
    "setting": (list_settings, ALONE),
    "route": (list_routes, ALONE),
    "command": (list_commands, COMMAND),
    "metric": (list_metrics, ALONE),
    "alert": (list_alerts, ALONE),
    "check": (list_checks, ALONE),
    "state of a section": (list_states, ALONE),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    panel = create_app(no_worlds(with_tables(tmp_path_factory.mktemp("docs"))))
    yield panel
    get(Services, panel).deliveries.stop()
    get(Services, panel).database.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_everything_of_this_kind_is_documented(kind: str, app: Flask) -> None:
    lister, before = KINDS[kind]
    names = set(lister(app))
    assert names, "nothing of this kind was found"
    assert {name for name in names if not is_documented(name, before)} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_wrote_down_would_be_found(kind: str) -> None:
    assert not is_documented("nobody_wrote_this_down", KINDS[kind][1])


# -- the sheet of claims ---------------------------------------------------------------------------

README = DOCUMENTS["README.md"]
SHEET = "## What you can rely on"
MOST_CLAIMS = 15
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")
NAMED_FIGURE = re.compile(r"\[[^\]]+\]\((docs/\w+\.md)#([\w-]+)\)")


def list_claims() -> list[str]:
    """Return the rows of the table, without the two lines of its head."""
    sheet = README.partition(SHEET)[2].partition("\n## ")[0]
    return [line for line in sheet.splitlines() if line.startswith("| ")][2:]


def list_headings(text: str) -> set[str]:
    """Return the headings as links name them: in lower case, with hyphens, without other signs."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_sheet_of_claims_is_short() -> None:
    assert 0 < len(list_claims()) <= MOST_CLAIMS


def test_each_claim_names_a_test_or_a_figure_that_is_there() -> None:
    for claim in list_claims():
        proofs, figures = NAMED_TEST.findall(claim), NAMED_FIGURE.findall(claim)
        assert proofs or figures, f"nothing shows this: {claim}"
        for path, name in proofs:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert not name or f"def {name}(" in source, f"{path} has no {name}"
        for path, heading in figures:
            assert heading in list_headings((ROOT / path).read_text(encoding="utf-8")), heading
