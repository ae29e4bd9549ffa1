"""`flask --app app sync erased`: lists contacts that were deleted in Chatwoot, and lets them be
made again."""

import logging
from collections.abc import Iterable
from dataclasses import asdict

import click

from panel.cli.output import FOUND, count_noun, database_command, echo, format_time, stop
from panel.data.erasures import Erasure
from panel.data.lanes import Lane
from panel.services import get, services
from panel.sync.intake import Intake

log = logging.getLogger(__name__)


@click.command("erased")
@click.option("--allow", type=int, metavar="ID", help="This contact may be made again.")
@click.option("--allow-all", is_flag=True, help="All of them may be: a new Chatwoot, say.")
@database_command
def show_erased(allow: int | None, allow_all: bool, as_json: bool) -> None:
    """List contacts that were deleted in Chatwoot, and that no pass makes again; or allow it."""
    erasures = services().directory.erasures.list_erasures()
    if allow is None and not allow_all:
        echo([asdict(erasure) for erasure in erasures], as_json, lambda: _erasure_lines(erasures))
        return
    erasures_to_allow = [erasure for erasure in erasures if allow_all or erasure.contact == allow]
    if allow is not None and not erasures_to_allow:
        stop(f"No pass has found contact {allow} deleted.", FOUND)
    organizations = _allow(erasures_to_allow)
    allowed = [erasure.contact for erasure in erasures_to_allow]
    result = {"allowed": allowed, "lined_up": organizations}
    lined_up = count_noun(len(organizations), "organization", "organizations")
    words = f"{len(allowed)} may be made again, {lined_up} lined up"
    echo(result, as_json, lambda: [words])


def _allow(erasures: list[Erasure]) -> list[int]:
    """Let these contacts be made again; returns the organizations whose passes may make them."""
    organizations = sorted({number for erasure in erasures for number in erasure.organizations})
    numbers = [erasure.contact for erasure in erasures]
    services().directory.erasures.allow(numbers)
    log.warning("contacts that were deleted may be made again: %s", numbers)
    get(Intake).line_up(organizations, Lane.BACKFILL, anew=True)
    return organizations


def _erasure_lines(erasures: list[Erasure]) -> Iterable[str]:
    if not erasures:
        yield "No contact of ours was deleted in Chatwoot."
        return
    for erasure in erasures:
        whose = ", ".join(map(str, erasure.organizations))
        yield f"contact {erasure.contact}  organization {whose}  {format_time(erasure.at)}"
    yield "Nobody makes them again; who writes to us themselves has a new one. To allow it:"
    yield "`sync erased --allow ID`."
