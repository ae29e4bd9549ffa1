"""`flask --app app sync erased`: contacts that were deleted in Chatwoot; may one be made again?"""

import logging
from collections.abc import Iterable
from dataclasses import asdict

import click

from panel.cli.output import FOUND, database_command, echo, format_time, stop
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
    """Contacts that were deleted in Chatwoot, which nobody makes again; or allow it."""
    listed = services().directory.erasures.list_erasures()
    if allow is None and not allow_all:
        echo([asdict(each) for each in listed], as_json, lambda: _erasure_lines(listed))
        return
    chosen = [each for each in listed if allow_all or each.contact == allow]
    if allow is not None and not chosen:
        stop(f"No pass has found contact {allow} deleted.", FOUND)
    organizations = _allow(chosen)
    result = {"allowed": [each.contact for each in chosen], "lined_up": organizations}
    told = f"{len(chosen)} may be made again, {len(organizations)} organizations lined up"
    echo(result, as_json, lambda: [told])


def _allow(chosen: list[Erasure]) -> list[int]:
    """Returns the organizations whose passes make the contacts, while the people are theirs."""
    organizations = sorted({number for each in chosen for number in each.organizations})
    numbers = [each.contact for each in chosen]
    services().directory.erasures.allow(numbers)
    log.warning("contacts that were deleted may be made again: %s", numbers)
    get(Intake).line_up(organizations, Lane.BACKFILL, anew=True)
    return organizations


def _erasure_lines(listed: list[Erasure]) -> Iterable[str]:
    if not listed:
        yield "No contact of ours was deleted in Chatwoot."
        return
    for each in listed:
        whose = ", ".join(map(str, each.organizations))
        yield f"contact {each.contact}  organization {whose}  {format_time(each.at)}"
    yield "Nobody makes them again; who writes to us themselves has a new one. To allow it:"
    yield "`sync erased --allow ID`."
