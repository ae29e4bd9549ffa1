"""The lines of `sync status` about the nights: their progress, results and troubles."""

from collections.abc import Iterator

from panel.data.nights import CLOSING, CONTACTS, MISSED, OFFICE, NightRow
from panel.deliveries import format_age
from panel.sync.reasons import explain_reason

STUCK_NIGHT_SECONDS = 2 * 3600.0  # the longest time without a step while a night is under way
LATE_NIGHT_SECONDS = 26 * 3600.0  # the longest time since the last night began
DOES = {
    CONTACTS: "reads the contacts in Chatwoot",
    MISSED: "reads contacts singly that no page had",
    OFFICE: "compares organizations with MIDDAG Account",
    CLOSING: "is about to end",
}


def describe_night(night: NightRow | None, now: float) -> str:
    """Describe the last night in a line."""
    if night is None:
        return "none so far"
    words = f"{night.contacts + night.single} contacts read, {night.compared} of {night.wanted}"
    words = f"{words} organizations compared, {night.lined_up} lined up"
    if night.skipped:
        words = f"{words}, {night.skipped} turns skipped"
    if night.ended_at:
        return f"ended {format_age(now - night.ended_at)}: {words}"
    return f"began {format_age(now - night.begun_at)} and {DOES[night.phase]}: {words}"


def find_night_problems(night: NightRow | None, now: float) -> Iterator[str]:
    """Yield a sentence for each trouble of the night: its cause, and the advice."""
    if night is None:
        return
    if night.withheld:
        yield (
            f"{night.withheld} organizations are gone from MIDDAG Account, too many to be cleared "
            "by themselves: `flask --app app sync reconcile --force`, if that is right."
        )
    if night.skipped and night.trouble:
        yield (
            f"The last night skipped {night.skipped} turns, which come first in the next one. The "
            f"last reason: {_explain(night)}."
        )
    if not night.ended_at and now - night.noted_at > STUCK_NIGHT_SECONDS:
        since = format_age(now - night.noted_at)
        why = f": {_explain(night)}" if night.trouble else ""
        yield f"The night under way has come no further since its last step {since}{why}."
    if night.ended_at and now - night.begun_at > LATE_NIGHT_SECONDS:
        yield f"No night has begun since the one {format_age(now - night.begun_at)}."


def _explain(night: NightRow) -> str:
    """Put the trouble into words. Some troubles begin with the organization or contact that they
    concern."""
    whose, colon, reason = str(night.trouble).partition(": ")
    if colon and whose.startswith(("organization ", "contact ")):
        return f"{whose}: {explain_reason(reason, night.side or '')}"
    return explain_reason(str(night.trouble), night.side or "")
