"""The hooks that the must-use plugin sends for an event."""

from typing import Any

from tests.wordpress.receiver import Arrival, Receiver
from tests.wordpress.sites import Site, poll

ENTITY = "array( 'id' => 7, 'organization_id' => 42 )"


def hear(site: Site, receiver: Receiver, code: str, number: int = 1) -> list[Arrival]:
    """Run PHP in a request; returns the hooks once so many have arrived."""
    visit = site.visit(code)
    assert visit.answer.status_code == 200, visit.answer.text
    poll(lambda: len(receiver.arrivals) >= number, 10)
    poll(lambda: site.waiting == 0, 10)
    return list(receiver.arrivals)


def heard(site: Site, receiver: Receiver, code: str) -> tuple[str, Any, Any]:
    (arrival,) = hear(site, receiver, code)
    return arrival.event, arrival.organization, arrival.record
