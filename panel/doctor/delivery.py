"""`doctor --deliver`: makes and removes a contact in Chatwoot, to see whether webhooks arrive."""

import time
from collections.abc import Iterator

from panel.data.delivery_log import ACCEPTED, CHATWOOT, Tally
from panel.doctor.diagnosis import FAULT, Diagnosis
from panel.services import Services

TEST_NAME = "MIDDAG doctor (is removed at once)"
WAIT_SECONDS = 25.0  # a process writes its counts every ten seconds
DELIVERY_POLL_SECONDS = 0.5
DELIVERY_FIX = (
    "let Chatwoot's machine reach PANEL_URL (since 4.14 it refuses private addresses unless "
    "SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true), and look at its Sidekiq; `setup` shows the webhook"
)


def examine_delivery(shared: Services) -> Iterator[Diagnosis]:
    """Wait for a delivery. Any delivery of Chatwoot will do, because all take the same way."""
    before = shared.deliveries.read(CHATWOOT)
    contact = shared.chatwoot.create_contact({"name": TEST_NAME})
    try:
        answer = _await_answer(shared, before)
    finally:
        shared.chatwoot.administer("DELETE", f"contacts/{contact.id}")
    if answer == "":
        cause = f"nothing came from Chatwoot within {WAIT_SECONDS:.0f} s of a change there"
        yield Diagnosis(FAULT, cause, DELIVERY_FIX)
    elif answer != ACCEPTED:
        yield Diagnosis(FAULT, f"what Chatwoot delivers is refused: {answer}", "see `setup`")


def _await_answer(shared: Services, before: dict[str, Tally]) -> str:
    """Return our answer to the first delivery after the counts `before`."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        for answer, tally in shared.deliveries.read(CHATWOOT).items():
            former = before.get(answer)
            if former is None or tally.last_at > former.last_at:
                return answer
        time.sleep(DELIVERY_POLL_SECONDS)
    return ""
