"""The row of floods: a burst of messages of many customers, and its cost for all others."""

import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import cycle
from uuid import uuid4

from bench import machine
from bench.figures import Samples, percentile
from bench.lanes import DEFAULTS
from bench.reading import CONNECTIONS
from bench.stage import Panel, Stage
from bench.wing import FIRST_COMPANY, Wing, open_wing
from bench.wire import load, request
from bench.writing import WEBHOOK_SECRET, hook_request
from panel.data.tasks import NAMING, WARM_SECONDS, Task
from panel.demo.scenarios import WEB
from panel.upstream.chatwoot import ID_ATTRIBUTE, NAME_ATTRIBUTE

MESSAGES, CUSTOMERS = 5000, 200
BETWEEN_HOOKS = 0.1  # seconds
WARMED_DOCUMENT = "/orders"  # no pass reads it


def messages(stage: Stage, shape: str) -> list[Samples]:
    """Send `MESSAGES` of `CUSTOMERS` in turn over a few connections, and the plugin's hooks beside
    them."""
    customers = [FIRST_COMPANY + at for at in range(stage.times(CUSTOMERS // 4, CUSTOMERS))]
    with open_wing(stage, shape) as wing:
        for number in customers:
            wing.settle(number)
        environ = {**wing.environ, **DEFAULTS, "CHATWOOT_WEBHOOK_SECRET": WEBHOOK_SECRET}
        contacts = wing.contacts
        for number in customers:  # each customer writes in a conversation that has its name
            wing.chat.add_conversation(contacts[_name_email(number)], WEB, number)
            wing.jobs.do_task(Task(NAMING, number))
        requests = [
            _make_message(contacts, customers[at % len(customers)])
            for at in range(stage.times(MESSAGES // 4, MESSAGES))
        ]
        wing.office.forget()
        with (
            stage.panel(environ) as panel,
            machine.worker(environ, stage.folder / "flood.log"),
            _ringing(panel, customers) as seconds,
        ):
            started_at = time.monotonic()
            burst = load(panel.port, requests, CONNECTIONS).only(202)
            machine.wait_until(lambda: len(_count_warmings(wing)) == len(customers), 300)
            lasted = time.monotonic() - started_at
        warmings = _count_warmings(wing)
    times_to_live = 1 + lasted // WARM_SECONDS
    slowest = f"a webhook at most {max(burst.times):.2f} s"
    note = f"{len(requests)} webhooks, {burst.rate:.0f} a second; {sum(warmings.values())} warmings"
    doors = f"{len(seconds)} hooks, half within {1000 * percentile(seconds, 50):.0f} ms; {slowest}"
    return [
        Samples([max(warmings.values()) / times_to_live], f"{note} within {lasted:.0f} s"),
        Samples(seconds, doors),
    ]


def _count_warmings(wing: Wing) -> Counter[str]:
    with wing.office.lock:
        calls = [call for call in wing.office.calls if call.path.endswith(WARMED_DOCUMENT)]
    # The query names the organization.
    return Counter(str(sorted(call.query.items())) for call in calls)


def _name_email(number: int) -> str:
    return f"pessoa0@empresa{number}.example"


def _make_message(contacts: Mapping[str, int], number: int) -> bytes:
    """Make the signed webhook of a message: the first person of a company writes in a new
    conversation."""
    email = _name_email(number)
    sender = {"id": contacts[email], "email": email}
    event = {
        "event": "message_created",
        "account": {"id": 1},
        "message_type": "incoming",
        "private": False,
        "content": "Hello?",
        "sender": sender,
        "conversation": {
            "id": number,
            "status": "open",
            "meta": {"sender": sender},
            "custom_attributes": {ID_ATTRIBUTE: str(number), NAME_ATTRIBUTE: f"Empresa {number}"},
        },
    }
    body, stamp = json.dumps(event).encode(), str(int(time.time()))
    signed = hmac.new(WEBHOOK_SECRET.encode(), stamp.encode() + b"." + body, sha256).hexdigest()
    headers = {
        "Content_Type": "application/json",
        "X_Chatwoot_Delivery": str(uuid4()),
        "X_Chatwoot_Timestamp": stamp,
        "X_Chatwoot_Signature": f"sha256={signed}",
    }
    return request("POST", "/sync/chatwoot", "", None, body, **headers)


@contextmanager
def _ringing(panel: Panel, customers: list[int]) -> Iterator[list[float]]:
    """Send ten hooks of the plugin a second; yields the seconds that each took."""
    seconds, over = list[float](), threading.Event()
    beside = Panel(panel.served, panel.environ)

    def ring() -> None:
        for number in cycle(customers):
            if over.wait(BETWEEN_HOOKS):
                return
            seconds.append(beside.timed(hook_request(number, "entitlement.renewed")))

    thread = threading.Thread(target=ring)
    thread.start()
    try:
        yield seconds
    finally:
        over.set()
        thread.join()
        beside.connection.close()
