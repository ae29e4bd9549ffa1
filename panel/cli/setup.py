"""`flask --app app setup`: make Chatwoot hold what the panel needs, and say what is not well there.

Exit codes: 0 all is done; 1 something is not as it should be; 2 a step failed, or Chatwoot could
not be asked. A dry run is a check, which ends with 1 where anything is left to be done by anybody.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from panel.checks import run_checks
from panel.cli.claim import Claim, make_claim
from panel.cli.integer_money import explain_integer_money
from panel.cli.output import COULD_NOT, FOUND, echo, plain_command, require_panel_url, stop
from panel.cli.setup_findings import (
    SetupProblem,
    find_version_problems,
    find_webhook_problems,
    write_notes,
    write_version,
)
from panel.cli.setup_plan import Exposure, Planner, Step
from panel.cli.survey import StepFailed, Survey, read_secret, survey_account
from panel.data import schema
from panel.data.installation import Installation
from panel.data.migrations.version import WrongSchema
from panel.errors import PanelError, TryLater
from panel.health.finding import Finding
from panel.models.text import clean
from panel.services import services
from panel.sync.installation_mark import Mark
from panel.upstream.chatwoot_rejections import REMEDIES, read_words

NO_DATABASE = Finding("unknown", "there is no database of this version yet")
WEBHOOKS = "chatwoot_webhooks"  # the check
ALL_WELL = "Nothing to do: everything stands as it should."
NOTHING_TO_DO = "Nothing to do in Chatwoot."
NOTHING_LEFT = "Nothing is left of ours in Chatwoot."


@dataclass(frozen=True)
class Failed:
    """A step that Chatwoot did not carry out; `words`: its own."""

    step: str
    code: str
    words: str
    by_hand: str


@dataclass
class Outcome:
    """What a run did. `untried`: steps after one that failed because Chatwoot is unwell."""

    done: list[str] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    secret: str = ""


@dataclass(frozen=True)
class SetupReport:
    """`problems` keep setup from saying that all is well; `secret`: of the webhook, to be shown."""

    dry_run: bool
    version: str
    outcome: Outcome
    otherwise: str  # what to say where there was no step
    problems: list[SetupProblem]
    notes: list[str] = field(default_factory=list)
    secret: str = ""
    exposure: Exposure | None = None
    amounts: list[str] = field(default_factory=list)  # what MIDDAG_INTEGER_MONEY would decide

    @property
    def exit_code(self) -> int:
        if self.outcome.failed or self.outcome.untried:
            return COULD_NOT
        if self.dry_run:
            return FOUND if self.outcome.done or self.problems else 0
        return FOUND if not all(each.is_next for each in self.problems) else 0


@click.command("setup")
@click.option("--dry-run", is_flag=True, help="Write nothing; end with 1 where there is work.")
@click.option("--remove", is_flag=True, help="Undo it: remove what is ours.")
@click.option("--show-secret", is_flag=True, help="Print the webhook's secret again.")
@click.option("--take-over", is_flag=True, help="It is this installation that writes from now on.")
@plain_command
def setup(dry_run: bool, remove: bool, show_secret: bool, take_over: bool, as_json: bool) -> None:
    """Create or correct in Chatwoot what the panel and the passes need."""
    require_panel_url()
    shared = services()
    try:
        survey = survey_account(shared.chatwoot, shared.settings)
        directory = shared.directory if _has_database(shared.database) else None
        # Without a database we do not know our id yet: the next run adds it to the mark.
        own_id = Installation(shared.database).read().id if directory else ""
        claim = make_claim(survey, Mark(shared.settings.panel_url, own_id), take_over)
        planner = Planner(shared.settings, shared.chatwoot, directory, survey, claim)
        if remove:
            report = _remove(survey, planner, dry_run)
        else:
            report = _set_up(survey, planner, claim, dry_run, show_secret)
    except StepFailed as failure:
        stop(_explain_failure(failure))
    echo(_make_value(report), as_json, lambda: _report_lines(report))
    sys.exit(report.exit_code)


def _explain_failure(failure: StepFailed) -> str:
    """Which refusal it is, and what to do about it."""
    error = failure.error
    if error.code == "wrong_token":
        return f"Chatwoot does not accept CHATWOOT_API_TOKEN. {REMEDIES[error.code]}"
    why = f"{error.code}, {error.detail}" if error.detail else error.code
    told = f"Chatwoot could not be asked ({failure.step}): {why}."
    return f"{told} {REMEDIES.get(error.code, '')}".rstrip()


def _has_database(engine: Engine) -> bool:
    """Is there one of this version? None is made here."""
    try:
        schema.require_current(engine)
    except (WrongSchema, SQLAlchemyError, PanelError):
        return False
    return True


# -- what is done ----------------------------------------------------------------------------------


def _set_up(
    survey: Survey, planner: Planner, claim: Claim, dry_run: bool, show_secret: bool
) -> SetupReport:
    shared = services()
    steps = planner.plan()
    # Before: nothing may keep the secret of a webhook that is made from being shown.
    exposure = planner.find_exposure(steps)
    arrivals = NO_DATABASE
    if planner.has_database:
        arrivals = run_checks(shared, cheap_only=True, only=(WEBHOOKS,))[WEBHOOKS]
    problems = [
        *map(SetupProblem, claim.find_problems()),
        *find_version_problems(survey),
        *find_webhook_problems(survey, shared.settings, arrivals),
    ]
    outcome = Outcome(done=list(map(str, steps))) if dry_run else _carry_out(steps)
    shown = str((survey.webhook or {}).get("secret") or "") if show_secret else ""
    return SetupReport(
        dry_run,
        write_version(survey.version),
        outcome,
        NOTHING_TO_DO if problems else ALL_WELL,
        problems,
        list(write_notes(survey, exposure)),
        outcome.secret or shown,
        exposure,
        _explain_amounts(planner.has_database),
    )


def _explain_amounts(has_database: bool) -> list[str]:
    """What MIDDAG_INTEGER_MONEY would decide, while it is not set."""
    shared = services()
    if shared.settings.integer_money:
        return []
    try:
        known = shared.directory.list_organizations() if has_database else []
    except PanelError:
        known = []
    return explain_integer_money(shared.back_office, known)


def _remove(survey: Survey, planner: Planner, dry_run: bool) -> SetupReport:
    steps = list(planner.plan_removal())
    outcome = Outcome(done=list(map(str, steps))) if dry_run else _carry_out(steps)
    problems = [
        SetupProblem(f"What stands of ours is not known: {each}. {REMEDIES['not_permitted']}")
        for each in survey.unlisted
    ]
    otherwise = NOTHING_TO_DO if problems else NOTHING_LEFT
    return SetupReport(dry_run, write_version(survey.version), outcome, otherwise, problems)


def _carry_out(steps: Sequence[Step]) -> Outcome:
    """One after the other. Who refuses one step may take the next; who is unwell is left alone."""
    outcome = Outcome()
    for number, step in enumerate(steps):
        try:
            answer = services().chatwoot.administer(step.method, step.path, step.body)
        except PanelError as error:
            words = read_words(error.body) or error.detail
            outcome.failed.append(Failed(str(step), error.code, clean(words), step.by_hand))
            if isinstance(error, TryLater):
                outcome.untried += map(str, steps[number + 1 :])
                break
        else:
            outcome.done.append(str(step))
            if step.tells_secret:
                outcome.secret = read_secret(answer)
    return outcome


# -- what is said ----------------------------------------------------------------------------------


def _make_value(report: SetupReport) -> dict[str, Any]:
    outcome = report.outcome
    value = {
        "version": report.version,
        "steps": outcome.done,
        "failed": [asdict(each) for each in outcome.failed],
        "untried": outcome.untried,
        "by_hand": [each.by_hand for each in outcome.failed],
        "problems": [each.text for each in report.problems],
        "notes": report.notes,
        "webhook_secret": report.secret,
        "dry_run": report.dry_run,
    }
    optional = {
        "exposure": report.exposure and asdict(report.exposure),
        "integer_money": report.amounts,
    }
    return value | {name: each for name, each in optional.items() if each}


def _report_lines(report: SetupReport) -> Iterator[str]:
    outcome = report.outcome
    if not (outcome.done or outcome.failed or outcome.untried):
        yield report.otherwise
    yield from (f"{'would ' if report.dry_run else ''}{line}" for line in outcome.done)
    yield from _failure_lines(outcome)
    if report.secret:
        yield "Set this and restart the panel (`setup --show-secret` prints it again). Then write"
        yield "to an inbox as a customer, and see in `sync status` that the webhook came."
        yield f"  CHATWOOT_WEBHOOK_SECRET={report.secret}"
    if report.problems:
        yield "Not as it should be:"
        yield from (f"  - {each.text}" for each in report.problems)
    yield from report.notes
    yield from report.amounts


def _failure_lines(outcome: Outcome) -> Iterator[str]:
    """Those that failed alike stand together."""
    causes = {(each.code, each.words): None for each in outcome.failed}
    for code, words in causes:
        said = f' (Chatwoot says: "{words}")' if words else ""
        yield f"Not done: {code}{said}. {REMEDIES.get(code, '')}".rstrip()
        for each in outcome.failed:
            if (each.code, each.words) == (code, words):
                yield f"  - {each.step}. By hand: {each.by_hand}"
    if outcome.untried:
        yield "Not tried after that; run setup again when Chatwoot is well:"
        yield from (f"  - {line}" for line in outcome.untried)
