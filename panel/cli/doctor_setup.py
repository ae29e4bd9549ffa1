"""The check `setup` of doctor: the differences in Chatwoot that `setup --dry-run` would list."""

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from panel.cli.claim import make_claim
from panel.cli.setup_findings import find_version_problems, find_webhook_problems
from panel.cli.setup_plan import Planner
from panel.cli.survey import StepFailed, Survey, survey_account
from panel.data import schema
from panel.data.directory import Directory
from panel.data.installation import Installation
from panel.data.migrations.version import WrongSchema
from panel.doctor.diagnosis import FAULT, SKIPPED, WARNING, Diagnosis
from panel.errors import PanelError
from panel.health.finding import Finding
from panel.services import Services
from panel.sync.installation_mark import Mark

FIX = "`flask --app app setup`"
ARRIVALS_ELSEWHERE = Finding("ok")  # another check tells whether webhooks arrive


def examine_setup(shared: Services) -> Iterator[Diagnosis]:
    """Find attributes, dashboard app and webhook that are missing or differ, and another secret."""
    if not shared.settings.panel_url:
        yield Diagnosis(SKIPPED, "PANEL_URL is empty")
        return
    try:
        survey = survey_account(shared.chatwoot, shared.settings)
        yield from _compare(shared, survey)
    except StepFailed as failure:
        cause = f"what stands in Chatwoot is not known: {failure.step}: {failure.error.code}"
        yield Diagnosis(FAULT, cause, "see the check token")


def _compare(shared: Services, survey: Survey) -> Iterator[Diagnosis]:
    directory = _find_directory(shared)
    own_id = Installation(shared.database).read().id if directory else ""
    claim = make_claim(survey, Mark(shared.settings.panel_url, own_id), False)
    planner = Planner(shared.settings, shared.chatwoot, directory, survey, claim)
    steps = planner.plan()
    yield from (
        Diagnosis(FAULT, f"missing or changed there: setup would {step}", FIX) for step in steps
    )
    problems = [
        *find_version_problems(survey),
        *find_webhook_problems(survey, shared.settings, ARRIVALS_ELSEWHERE),
    ]
    yield from (Diagnosis(FAULT, problem.text, "`setup --show-secret`") for problem in problems)
    for place in survey.others:
        cause = f"another panel is registered in this account: {place}"
        yield Diagnosis(WARNING, cause, "remove its tab and webhook, if it is a former address")
    exposure = planner.find_exposure(steps)
    if exposure.identifiers:
        cause = f"{exposure.identifiers} contacts have an identifier that can be guessed"
        yield Diagnosis(WARNING, cause, "`flask --app app sync reconcile`")
    for name in exposure.open_inboxes:
        cause = (
            f"inbox {name} does not enforce identity validation: a visitor can claim to be anyone"
        )
        yield Diagnosis(WARNING, cause, "enforce it in the inbox's settings (docs/security.md)")


def _find_directory(shared: Services) -> Directory | None:
    try:
        schema.require_current(shared.database)
    except (WrongSchema, SQLAlchemyError, PanelError):
        return None
    return shared.directory
