"""`flask --app app setup`: create in Chatwoot all that the panel needs, and report problems there.

Exit codes: 0 all is done; 1 something is not as it should be; 2 a step failed, or Chatwoot could
not be asked. A dry run is a check, which ends with 1 where work is left for setup or for an
administrator.
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
WEBHOOKS = "chatwoot_webhooks"  # the name of the check
ALL_WELL = "Nothing to do: everything stands as it should."
NOTHING_TO_DO = "Nothing to do in Chatwoot."
NOTHING_LEFT = "Nothing is left of ours in Chatwoot."


@dataclass(frozen=True)
class FailedStep:
    """A step that Chatwoot did not carry out; `words`: Chatwoot's own."""

    step: str
    code: str
    words: str
    by_hand: str


@dataclass
class Outcome:
    """The result of a run. `untried`: the steps after an outage of Chatwoot."""

    done: list[str] = field(default_factory=list)
    failed: list[FailedStep] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    secret: str = ""


@dataclass(frozen=True)
class SetupReport:
    """`problems` keep setup from reporting that all is well; `secret`: the webhook's."""

    dry_run: bool
    version: str
    outcome: Outcome
    otherwise: str  # the words for a run without a step
    problems: list[SetupProblem]
    notes: list[str] = field(default_factory=list)
    secret: str = ""
    exposure: Exposure | None = None
    amounts: list[str] = field(default_factory=list)  # see `_explain_amounts`

    @property
    def exit_code(self) -> int:
        if self.outcome.failed or self.outcome.untried:
            return COULD_NOT
        if self.dry_run:
            return FOUND if self.outcome.done or self.problems else 0
        return FOUND if not all(problem.is_next for problem in self.problems) else 0


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
        # Without a database our id is not known yet: the next run adds it to the mark.
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
    """Put the refusal into words, with its remedy."""
    error = failure.error
    if error.code == "wrong_token":
        return f"Chatwoot does not accept CHATWOOT_API_TOKEN. {REMEDIES[error.code]}"
    why = f"{error.code}, {error.detail}" if error.detail else error.code
    words = f"Chatwoot could not be asked ({failure.step}): {why}."
    return f"{words} {REMEDIES.get(error.code, '')}".rstrip()


def _has_database(engine: Engine) -> bool:
    """Tell whether there is a database of this version. A missing one is not made."""
    try:
        schema.require_current(engine)
    except (WrongSchema, SQLAlchemyError, PanelError):
        return False
    return True


# -- the steps ------------------------------------------------------------------------------


def _set_up(
    survey: Survey, planner: Planner, claim: Claim, dry_run: bool, show_secret: bool
) -> SetupReport:
    shared = services()
    steps = planner.plan()
    # The exposure is read before the steps run: after them no failure may keep setup from showing a
    # new webhook's secret.
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
    requested = str((survey.webhook or {}).get("secret") or "") if show_secret else ""
    return SetupReport(
        dry_run,
        write_version(survey.version),
        outcome,
        NOTHING_TO_DO if problems else ALL_WELL,
        problems,
        list(write_notes(survey, exposure)),
        outcome.secret or requested,
        exposure,
        _explain_amounts(planner.has_database),
    )


def _explain_amounts(has_database: bool) -> list[str]:
    """Return lines about the amounts that MIDDAG_INTEGER_MONEY would decide, while it is not
    set."""
    shared = services()
    if shared.settings.integer_money:
        return []
    try:
        numbers = shared.directory.list_organizations() if has_database else []
    except PanelError:
        numbers = []
    return explain_integer_money(shared.back_office, numbers)


def _remove(survey: Survey, planner: Planner, dry_run: bool) -> SetupReport:
    steps = list(planner.plan_removal())
    outcome = Outcome(done=list(map(str, steps))) if dry_run else _carry_out(steps)
    problems = [
        SetupProblem(f"What stands of ours is not known: {name}. {REMEDIES['not_permitted']}")
        for name in survey.unlisted
    ]
    otherwise = NOTHING_TO_DO if problems else NOTHING_LEFT
    return SetupReport(dry_run, write_version(survey.version), outcome, otherwise, problems)


def _carry_out(steps: Sequence[Step]) -> Outcome:
    """Run the steps in order. After a refusal the next one is tried; after an outage none is."""
    outcome = Outcome()
    for number, step in enumerate(steps):
        try:
            answer = services().chatwoot.administer(step.method, step.path, step.body)
        except PanelError as error:
            words = read_words(error.body) or error.detail
            outcome.failed.append(FailedStep(str(step), error.code, clean(words), step.by_hand))
            if isinstance(error, TryLater):
                outcome.untried += map(str, steps[number + 1 :])
                break
        else:
            outcome.done.append(str(step))
            if step.tells_secret:
                outcome.secret = read_secret(answer)
    return outcome


# -- the report ------------------------------------------------------------------------------


def _make_value(report: SetupReport) -> dict[str, Any]:
    outcome = report.outcome
    value = {
        "version": report.version,
        "steps": outcome.done,
        "failed": [asdict(part) for part in outcome.failed],
        "untried": outcome.untried,
        "by_hand": [part.by_hand for part in outcome.failed],
        "problems": [part.text for part in report.problems],
        "notes": report.notes,
        "webhook_secret": report.secret,
        "dry_run": report.dry_run,
    }
    optional = {
        "exposure": report.exposure and asdict(report.exposure),
        "integer_money": report.amounts,
    }
    return value | {name: part for name, part in optional.items() if part}


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
        yield from (f"  - {problem.text}" for problem in report.problems)
    yield from report.notes
    yield from report.amounts


def _failure_lines(outcome: Outcome) -> Iterator[str]:
    """Yield the failed steps, grouped by their cause."""
    causes = {(failure.code, failure.words): None for failure in outcome.failed}
    for code, words in causes:
        quoted = f' (Chatwoot says: "{words}")' if words else ""
        yield f"Not done: {code}{quoted}. {REMEDIES.get(code, '')}".rstrip()
        for failure in outcome.failed:
            if (failure.code, failure.words) == (code, words):
                yield f"  - {failure.step}. By hand: {failure.by_hand}"
    if outcome.untried:
        yield "Not tried after that; run setup again when Chatwoot is well:"
        yield from (f"  - {line}" for line in outcome.untried)
