"""Receipts of deliveries to both routes: answers are counted, reasons of refusals are logged."""

import logging

from panel.data.delivery_log import ACCEPTED, CHATWOOT, PLUGIN
from panel.data.obstacles import explain
from panel.deliveries import find_reason
from panel.logs.events import LogThrottle
from panel.services import get, services
from panel.sync.wire import Refusal

log = logging.getLogger(__name__)
DELIVERED = {CHATWOOT: "a webhook of Chatwoot", PLUGIN: "a hook of the plugin"}


def note_accepted(sender: str) -> None:
    """Count an accepted delivery, over all processes."""
    services().deliveries.count(sender, ACCEPTED)


def note_refused(sender: str, refusal: Refusal, address: str) -> None:
    """Count a refused delivery, and log it, once a minute for each reason.

    The address tells Chatwoot from a stranger. Behind a proxy that the settings do not count, it is
    the proxy's.
    """
    services().deliveries.count(sender, refusal.code)
    more = get(LogThrottle).admit((sender, refusal.code))
    if more is not None:
        reason = find_reason(refusal.code)
        why = explain(refusal, services().database) or refusal.detail
        log.warning(
            "%s from %s was refused: %s (%s)%s. To do: %s",
            *(DELIVERED[sender], address or "nowhere", reason.words, why, more),
            reason.advice,
            extra={"fields": {"sender": sender, "code": refusal.code, "address": address}},
        )
