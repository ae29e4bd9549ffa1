"""`flask --app app explain`: the explanation of what the panel shows, or did.

Exit codes for a conversation: 0 its customer is proven, 1 not proven, several or nobody; for an
organization or a hook 0. 2: there is no such thing, or a side could not be asked; the known facts
are printed.
"""

import sys
import time
from dataclasses import asdict
from datetime import datetime

import click

from panel.cli.output import COULD_NOT, FOUND, IDENTIFIER, database_command, echo, read_epoch, stop
from panel.explain.explanation import Question, explain_shown
from panel.explain.lines import Drawing, is_proven
from panel.services import services

MOMENTS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%H:%M"]


@click.command("explain")
@click.argument("conversation", type=IDENTIFIER, required=False)
@click.option("--organization", type=IDENTIFIER, metavar="ID", help="All about it.")
@click.option("--hook", metavar="ID", help="What a hook brought about.")
@click.option("--agent", type=IDENTIFIER, metavar="ID", help="As this agent was shown.")
@click.option(
    "--at",
    type=click.DateTime(MOMENTS),
    help="What happened until then, in PANEL_TIMEZONE; 14:02 is that of today.",
)
@database_command
def explain(
    conversation: int | None,
    organization: int | None,
    hook: str | None,
    agent: int | None,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Why does the panel show this for a CONVERSATION, an organization, or after a hook?

    The command changes nothing, and shows no secret and no whole e-mail or phone.
    """
    if sum(choice is not None for choice in (conversation, organization, hook)) != 1:
        stop("Name one: a conversation, --organization ID or --hook ID.")
    moment = _read_moment(at) if at else 0.0
    question = Question(conversation or 0, organization or 0, hook or "", agent or 0, moment)
    explanation = explain_shown(services(), question)
    drawing = Drawing(services().settings.timezone, time.time())
    echo(asdict(explanation), as_json, lambda: drawing.draw(explanation))
    if not explanation.is_answered:
        sys.exit(COULD_NOT)
    sys.exit(FOUND if conversation and not is_proven(explanation) else 0)


def _read_moment(at: datetime) -> float:
    """Return the moment in PANEL_TIMEZONE (epoch seconds); an hour without a day is today's."""
    zone = services().settings.timezone
    if at.year == 1900:  # the year that `strptime` sets for an hour without a day
        today = datetime.now(zone)
        at = at.replace(year=today.year, month=today.month, day=today.day)
    return read_epoch(at.replace(tzinfo=zone))
