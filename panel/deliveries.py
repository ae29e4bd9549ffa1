"""The reasons for which deliveries are refused, and how deliveries stand, in words.

Deliveries are the plugin's hooks, Chatwoot's webhooks and the openings of agents.

`data.delivery_log` has the figures. The words are for administrators: `/readyz`, the log and the
commands show the same words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from panel.data.delivery_log import ACCEPTED, Tally

SECONDS_OF = {"day": 86400, "hour": 3600, "minute": 60}


@dataclass(frozen=True)
class Reason:
    """Why a delivery was refused: in a few words, and what to do about it.

    `is_single`: the reason lies in this delivery and says nothing about later ones.
    """

    words: str
    advice: str
    is_single: bool = False


REFUSAL_REASONS = {
    "no_secret": Reason(
        "no secret set",
        "the panel that runs has an empty CHATWOOT_WEBHOOK_SECRET: `flask --app app setup "
        "--show-secret` prints its line; set it, reload the panel",
    ),
    "unsigned": Reason(
        "unsigned",
        "Chatwoot signs its webhooks from 4.11.2 on; otherwise a proxy drops the headers "
        "X-Chatwoot-Signature and X-Chatwoot-Timestamp, or somebody else sent this",
    ),
    "wrong_signature": Reason(
        "wrong signature",
        "CHATWOOT_WEBHOOK_SECRET is not the secret of this webhook: `flask --app app setup` "
        "compares them",
    ),
    "stale": Reason(
        "stale timestamp",
        "the clocks of Chatwoot and of this machine differ, or Chatwoot's Sidekiq is minutes late",
    ),
    "bad_proof": Reason(
        "wrong proof",
        "the plugin sends another secret than CHATWOOT_CONTACT_VIEW_SECRET, or a web server drops "
        "the Authorization header",
    ),
    "too_many": Reason("too many wrong proofs", "as for a wrong proof"),
    "not_kept": Reason(
        "not kept", "the database could not be written: see the log and the part `database`"
    ),
    "too_large": Reason(
        "too large", "a message with a very long text or mail: nothing to do", is_single=True
    ),
    "unreadable": Reason("unreadable", "it was no JSON object", is_single=True),
    "not_json": Reason("no JSON", "the sender should say application/json", is_single=True),
    "bad_event": Reason("no name of an event", "tell the sender's developers", is_single=True),
    "bad_id": Reason("an id that cannot be kept", "tell the sender's developers", is_single=True),
}
# Why openings of the panel are refused. Reasons that concern one agent alone do not stand here.
AGENT_REASONS = {
    "foreign_origin": Reason(
        "a POST of a page that is not ours",
        "set PANEL_URL to the address under which agents open the panel, and "
        "PANEL_TRUSTED_PROXIES to the number of proxies before it",
    ),
    "wrong_proof": Reason(
        "wrong proof",
        "the dashboard app in Chatwoot has an old launch key: `flask --app app setup` corrects "
        "it; or a stranger guesses",
    ),
}


def find_reason(answer: str) -> Reason:
    """Return the reason of an answer. A code that is not in the table, as one of a newer program,
    becomes the words itself."""
    unknown = Reason(answer.replace("_", " "), "see docs/operate.md", is_single=True)
    return {**REFUSAL_REASONS, **AGENT_REASONS}.get(answer, unknown)


def find_standing_refusal(tallies: Mapping[str, Tally]) -> str:
    """Return the answer to the last refused deliveries if none was accepted since, else `""`."""
    accepted_at = tallies[ACCEPTED].last_at if ACCEPTED in tallies else 0.0
    standing = {
        answer: tally
        for answer, tally in _list_refused(tallies).items()
        if tally.last_at > accepted_at and not find_reason(answer).is_single
    }
    return next(iter(standing), "")


def describe_deliveries(tallies: Mapping[str, Tally], now: float) -> str:
    """For example `refused: wrong signature, 14 in the last hour; last accepted 3 hours ago`."""
    if not tallies:
        return "none has ever come"
    standing = find_standing_refusal(tallies)
    refusals = [
        _describe_refused(answer, tally, now)
        for answer, tally in _list_refused(tallies).items()
        if tally.count or answer == standing
    ]
    parts = [f"refused: {', '.join(refusals)}"] if refusals else []
    accepted = "none was ever accepted"
    if ACCEPTED in tallies:
        accepted = f"last accepted {format_age(now - tallies[ACCEPTED].last_at)}"
    return "; ".join((*parts, accepted) if standing else (accepted, *parts))


def _list_refused(tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    """Return the refusals, the latest first."""
    refusals = [(answer, tally) for answer, tally in tallies.items() if answer != ACCEPTED]
    return dict(sorted(refusals, key=lambda row: -row[1].last_at))


def _describe_refused(answer: str, tally: Tally, now: float) -> str:
    words = find_reason(answer).words
    if tally.count:
        return f"{words}, {tally.count} in the last hour"
    return f"{words}, last {format_age(now - tally.last_at)}"


def format_age(seconds: float) -> str:
    """For example `2 minutes ago`, `1 day ago`, `just now`."""
    for unit, length in SECONDS_OF.items():
        if (count := int(seconds // length)) > 0:  # it is negative where two clocks differ
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
