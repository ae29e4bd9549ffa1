"""The rows of the night: calls to Chatwoot for each contact, and for a pass after a hook."""

from datetime import UTC, datetime
from uuid import uuid4

from bench.figures import Samples
from bench.stage import Stage
from bench.wing import FIRST_COMPANY, Wing, change_role, open_wing
from panel.sync.wire import Hook

QUIET_KIND, CHANGED_KIND = "entitlement.renewed", "collaborator.updated"


def night(stage: Stage, shape: str) -> list[Samples]:
    """Measure a night without changes, in which a seventh is compared with the back office."""
    count = stage.times(100, 700)
    with open_wing(stage, shape) as wing:
        for number in range(FIRST_COMPANY, FIRST_COMPANY + count):
            wing.settle(number)
        wing.chat.forget()
        wing.office.calls.clear()
        wing.jobs.run_nightly()
        calls, contacts = len(wing.chat.calls), len(wing.chat.contacts)
        note = f"{calls} calls for {contacts} contacts; {len(wing.office.calls)} to the back office"
        quiet = [_count_calls(wing, FIRST_COMPANY + number, QUIET_KIND) for number in range(20)]
        emails = [_promote(wing, FIRST_COMPANY + number) for number in range(20)]
    return [
        Samples([calls / contacts], f"{note} for a seventh of {count} organizations"),
        Samples(quiet, "3 contacts"),
        Samples(emails, "3 contacts, the role of one of them"),
    ]


def _count_calls(wing: Wing, organization: int, kind: str) -> float:
    """Count the calls to Chatwoot of a pass after a hook of this kind."""
    wing.intake.accept(Hook(str(uuid4()), kind, datetime.now(UTC).timestamp(), organization))
    wing.chat.forget()
    wing.jobs.bring_in_line(organization)
    return float(len(wing.chat.calls))


def _promote(wing: Wing, organization: int) -> float:
    change_role(wing.office, organization)
    return _count_calls(wing, organization, CHANGED_KIND)
