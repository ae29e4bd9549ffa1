"""`flask --app app forget` and `export`: remove or print all that is kept of a person or an
organization.

Exit codes: 0 done; 1 done, and an administrator has work left; 2 it could not be done.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import IO

import click
import msgspec

from panel.cli.output import FOUND, IDENTIFIER, database_command, echo, stop
from panel.data.forgotten import OtherKey, Tombstones
from panel.data.lanes import Lane
from panel.errors import PanelError
from panel.models.text import normalize_email
from panel.privacy.export import export_subject
from panel.privacy.forgetting import ForgetReport, count_rows
from panel.privacy.forgetting import forget as forget_subject
from panel.privacy.holdings import Subject
from panel.privacy.subjects import find_person, list_returned
from panel.services import get, services
from panel.sync.intake import Intake
from panel.sync.pass_queue import PassQueue

person_option = click.option("--person", metavar="E-MAIL|CONTACT", help="Of a person.")
organization_option = click.option(
    "--organization", type=IDENTIFIER, metavar="ID", help="Of an organization."
)


@click.command("forget")
@person_option
@organization_option
@click.option("--dry-run", is_flag=True, help="Count what there is, and change nothing.")
@click.option("--allow", is_flag=True, help="Passes may learn of them again.")
@click.option("--tombstones", is_flag=True, help="Print all tombstones, to keep beside backups.")
@click.option("--restore", type=click.File("r"), help="Obey the tombstones of this file too.")
@database_command
def forget(
    person: str | None,
    organization: int | None,
    dry_run: bool,
    allow: bool,
    tombstones: bool,
    restore: IO[str] | None,
    as_json: bool,
) -> None:
    """Remove all that is kept of a person or an organization, and what was written in Chatwoot.

    A tombstone that names nobody keeps passes from learning of them again.
    """
    if tombstones:
        click.echo(json.dumps(asdict(services().directory.forgotten.dump())))
    elif restore:
        _restore(restore.read(), as_json)
    elif allow:
        _allow(person, organization, as_json)
    elif dry_run:
        counts = count_rows(services(), _find_subject(person, organization))
        echo(counts, as_json, lambda: [f"{name}: {n}" for name, n in counts.items()])
    else:
        _forget([_find_subject(person, organization)], as_json)


@click.command("export")
@person_option
@organization_option
@database_command
def export(person: str | None, organization: int | None, as_json: bool) -> None:
    """Print all that is kept of a person or an organization, as JSON."""
    content = export_subject(services(), _find_subject(person, organization))
    click.echo(json.dumps(content, default=str, ensure_ascii=False, indent=None if as_json else 2))


def _find_subject(person: str | None, organization: int | None) -> Subject:
    if (person is None) == (organization is None):
        stop("Name one: --person with an e-mail or a contact's number, or --organization ID.")
    if organization is not None:
        return Subject(organization=organization)
    email, contact = _read_person(person or "")
    return find_person(services(), email, contact)


def _read_person(text: str) -> tuple[str, int]:
    if re.fullmatch(r"[1-9][0-9]{0,8}", text):
        return "", int(text)
    email = normalize_email(text)
    if not email or not re.fullmatch(r"[^\s@]+@[^\s@]+", email):
        stop("--person takes an e-mail, or the number of a contact in Chatwoot.")
    return email, 0


def _forget(subjects: list[Subject], as_json: bool) -> None:
    queue, reports = get(PassQueue), []
    for subject in subjects:
        try:
            reports.append(forget_subject(services(), queue, subject))
        except PanelError as error:
            # The tombstone is the first that is written, so it stands where another side failed.
            passes = "No pass learns" if error.side else "Passes may still learn"
            stop(
                f"{error.side or 'Our own database'} could not be asked ({error.code}), so not all "
                f"is removed. {passes} of them. Run it again."
            )
    echo([asdict(report) for report in reports], as_json, lambda: _draw_reports(reports))
    is_incomplete = any(report.warnings or report.refused for report in reports)
    sys.exit(FOUND if is_incomplete else 0)


def _draw_reports(reports: list[ForgetReport]) -> Iterator[str]:
    for report in reports:
        yield from (f"removed    {name}: {count}" for name, count in report.rows.items())
        yield from (f"emptied    {name}: {count}" for name, count in report.emptied.items())
        if not (report.rows or report.emptied):
            yield "removed    nothing: our tables held nothing of them"
        if report.copies:
            yield f"removed    kept answers: of {report.copies} documents"
        if report.workflows:
            yield f"removed    finished passes: {report.workflows}"
        if report.cleared:
            yield f"cleared    in Chatwoot: contact {', '.join(map(str, report.cleared))}"
        yield from (f"refused    {why}" for why in report.refused)
        yield from (f"to do      {words}" for words in report.warnings)
    yield "A tombstone keeps passes from learning of them again (`--allow` lifts it)."


def _allow(person: str | None, organization: int | None, as_json: bool) -> None:
    tombstones = services().directory.forgotten
    if organization is not None:
        allowance = tombstones.allow_organization(organization)
    else:
        subject = find_person(services(), *_read_person(person or ""))
        allowance = tombstones.allow_person(subject.emails, subject.phones)
    if not allowance.marks:
        stop("They were not forgotten.", FOUND)
    get(Intake).line_up(list(allowance.organizations), Lane.BACKFILL, anew=True)
    words = f"{allowance.marks} marks are gone: passes may learn of them again, and are lined up"
    echo(asdict(allowance), as_json, lambda: [words])


def _restore(text: str, as_json: bool) -> None:
    try:
        tombstones = msgspec.json.decode(text, type=Tombstones)
        services().directory.forgotten.load(tombstones)
    except msgspec.DecodeError:
        stop("The file is none that `forget --tombstones` printed.")
    except OtherKey:
        stop("The tombstones there have another key than those that stand in this database.")
    _forget(list(list_returned(services().database, services().directory)), as_json)
