"""A panel whose worker works, before a Chatwoot that sends its webhooks; on either database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, update

from panel.application import stop_work
from panel.cli.definitions import EVENTS
from panel.data.links import CONVERSATION, Link
from panel.data.sightings import sightings
from panel.data.tasks import REPAIR, REPAIR_DELAY_SECONDS, tasks
from panel.demo.events import change_conversation, tell_conversation_created
from panel.demo.world import Call, Json
from panel.demo.worlds import serve
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.pass_queue import ACTIVE, PassQueue
from panel.sync.worker import Worker
from tests.conftest import Panel, Worlds, panels_before
from tests.sync.until import until
from tests.sync.wings import inhabited

WEBHOOK_SECRET = "a-secret-that-chatwoot-made-up"
ACME = {"middag_organization_id": "42", "middag_organization": "Acme"}
BETA = {"middag_organization_id": "45", "middag_organization": "Beta"}


@dataclass
class Listening:
    """Acme (42) of three people, one of whom is in Beta (45) too; both are known already."""

    panel: Panel

    def contact(self, email: str) -> Json:
        (row,) = [row for row in self.panel.chat.contacts.values() if row["email"] == email]
        return row

    def attributes(self, number: int) -> Json:
        row: Json = self.panel.chat.conversations[number]["custom_attributes"]
        return row

    def add(self, email: str, number: int, **fields: Any) -> Json:
        """Add a conversation without a webhook."""
        return self.panel.chat.add_conversation(self.contact(email)["id"], 1, number, **fields)

    def begin(self, email: str, number: int, **fields: Any) -> Json:
        """Add a new conversation, and send Chatwoot's webhook for it."""
        talk = self.add(email, number, **fields)
        with self.panel.chat.lock:
            tell_conversation_created(self.panel.chat, talk)
        return talk

    def change(self, number: int, **fields: Any) -> None:
        """Change its `status` or its `custom_attributes`, and send Chatwoot's webhook for it."""
        chat = self.panel.chat
        with chat.lock:
            change_conversation(chat, chat.conversations[number], **fields)

    def forget_sightings(self) -> None:
        """Forget sightings, as after a day: the next pass reads every contact."""
        with self.panel.services.database.begin() as connection:
            connection.execute(delete(sightings))

    def settle(self, seconds: float = 20) -> None:
        """Wait until all work is done, and the webhooks of our own writes have come back."""
        until(self._is_quiet, seconds)

    def skip_delay(self) -> None:
        """Let the repairs that wait for some seconds begin at once."""
        self.panel.chat.outbox.settle()
        waits = tasks.c.kind == REPAIR, tasks.c.due_at <= time.time() + REPAIR_DELAY_SECONDS
        with self.panel.services.database.begin() as connection:
            connection.execute(update(tasks).where(*waits).values(due_at=0.0))

    def _is_quiet(self) -> bool:
        self.panel.chat.outbox.settle()
        stats, queue = get(Intake, self.panel.app).stats(), get(PassQueue, self.panel.app)
        return not (
            stats.oldest_waiting or stats.tasks or queue.client.list_workflows(status=ACTIVE)
        )

    def calls(self) -> list[str]:
        """Return the worker's calls to Chatwoot, without those for the definitions."""
        base = self.panel.chat.base
        return [
            f"{call.method} {call.path.removeprefix(base)}"
            for call in self.panel.chat.calls
            if is_work(call)
        ]

    def run(self, organization: int) -> None:
        get(Jobs, self.panel.app).bring_in_line(organization)

    def say(self, link: Link) -> None:
        self.panel.services.links.put(link)

    def words(self, number: int, email: str) -> list[Link]:
        """Return the links of the conversation."""
        result = self.panel.services.links.find(number, self.contact(email)["id"])
        return [link for link in result if link.scope == CONVERSATION]


def is_work(call: Call) -> bool:
    ours = "/accounts/1/" in call.path
    return ours and not call.path.endswith("custom_attribute_definitions")


@contextmanager
def listening_to(url: str, folder: Path) -> Iterator[Listening]:
    office, chat = inhabited()
    servers = serve(office), serve(chat)
    worlds = Worlds(office, chat, servers[0].url, servers[1].url)
    with panels_before(worlds, folder) as make:
        panel = make(CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET, PANEL_DATABASE_URL=url)
        chat.webhooks[1] = {
            "id": 1,
            "url": f"{panel.url}/sync/chatwoot",
            "secret": WEBHOOK_SECRET,
            "subscriptions": list(EVENTS),
        }
        listening = Listening(panel)
        listening.run(42)
        listening.run(45)
        chat.outbox.sending = True
        chat.forget()
        get(Worker, panel.app).start_work(get(Jobs, panel.app).work)
        yield listening
        stop_work(panel.app)
    for server in servers:
        server.stop()
