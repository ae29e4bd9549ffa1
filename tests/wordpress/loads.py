"""Many events, and their limits of time."""

import logging

from tests.wordpress.receiver import Receiver

log = logging.getLogger(__name__)
ACTION = "middag/entitlement/suspended"


def fire(first: int, last: int | None = None, name: str = ACTION) -> str:
    return f"tests_fire('{name}', {first}, {last or first});"


def tell(case: str, fired: int, receiver: Receiver, *numbers: str) -> None:
    arrived = len(set(receiver.records))
    log.info("; ".join([f"{case}: fired {fired}, arrived {arrived}", *numbers]))
