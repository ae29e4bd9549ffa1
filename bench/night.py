"""The rows of the night: calls to Chatwoot for each contact, and for a pass after a hook."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from flask import Flask

from bench.figures import Samples
from bench.stage import API, Stage
from panel import services
from panel.data.schema import migrate
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.settings import from_env
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.pass_queue import PassQueue
from panel.sync.people import OUR_ATTRIBUTES
from panel.sync.wire import Hook

FIRST_COMPANY = 100_000
PEOPLE = 2  # and the company's own contact
QUIET_KIND, CHANGED_KIND = "entitlement.renewed", "collaborator.updated"


@dataclass(frozen=True)
class Wing:
    """Passes in this process, between worlds of their own."""

    office: BackOffice
    chat: Chatwoot
    intake: Intake
    jobs: Jobs


def night(stage: Stage, shape: str) -> list[Samples]:
    """Nothing has changed; a seventh is compared with the back office."""
    count = stage.times(100, 700)
    with _wing(stage, shape, count) as wing:
        wing.chat.forget()
        wing.office.calls.clear()
        wing.jobs.run_nightly()
        calls, contacts = len(wing.chat.calls), len(wing.chat.contacts)
        note = f"{calls} calls for {contacts} contacts; {len(wing.office.calls)} to the back office"
        quiet = [_count_calls(wing, FIRST_COMPANY + each, QUIET_KIND) for each in range(20)]
        changed = [_promote(wing, FIRST_COMPANY + each) for each in range(20)]
    return [
        Samples([calls / contacts], f"{note} for a seventh of {count} organizations"),
        Samples(quiet, "3 contacts"),
        Samples(changed, "3 contacts, the role of one of them"),
    ]


def _count_calls(wing: Wing, organization: int, kind: str) -> float:
    """To Chatwoot, of a pass after a hook of this kind."""
    wing.intake.accept(Hook(str(uuid4()), kind, datetime.now(UTC).timestamp(), organization))
    wing.chat.forget()
    wing.jobs.bring_in_line(organization)
    return float(len(wing.chat.calls))


def _promote(wing: Wing, organization: int) -> float:
    row = wing.office.rows("collaborators", organization)[0]
    wing.office.put("collaborators", organization, {**row, "role": "owner"})
    return _count_calls(wing, organization, CHANGED_KIND)


@contextmanager
def _wing(stage: Stage, shape: str, count: int) -> Iterator[Wing]:
    """So many organizations that a pass has brought in line."""
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Panel", "panel@bench.example", "administrator", ADMIN_TOKEN)
    for number, key in enumerate(OUR_ATTRIBUTES, start=1):
        kind = {"attribute_model": "contact_attribute", "attribute_display_type": "text"}
        chat.definitions[number] = {"id": number, "attribute_key": key, **kind}
    servers = serve(office), serve(chat)
    worlds = {"MIDDAG_API_URL": servers[0].url + API, "CHATWOOT_URL": servers[1].url}
    settings = from_env(stage.environ(shape, **worlds))
    shared = services.build(settings, Flask("night"))
    migrate(shared.database)
    queue = PassQueue(shared.database)
    queue.migrate()
    intake = Intake(shared.database)
    wing = Wing(office, chat, intake, Jobs(shared, intake))
    try:
        for number in range(FIRST_COMPANY, FIRST_COMPANY + count):
            _add(office, number)
            wing.jobs.bring_in_line(number)
        yield wing
    finally:
        shared.database.dispose()
        for server in servers:
            server.stop()


def _add(office: BackOffice, number: int) -> None:
    host = f"empresa{number}.example"
    company = {"name": f"Empresa {number}", "status": "publish", "email": f"contato@{host}"}
    office.put("organization", number, {**company, "billing_entity": "middag_br"})
    ends = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m-%dT12:00:00Z")
    row = {"id": number, "code": f"PLG-{number}", "status": "active", "expires_at": ends}
    office.put("entitlements", number, {**row, "organization_id": number})
    for each in range(PEOPLE):
        person = {"id": number * 10 + each, "organization_id": number, "user_id": None}
        told = {"email": f"pessoa{each}@{host}", "role": "member", "status": "active"}
        office.put("collaborators", number, {**person, **told})
