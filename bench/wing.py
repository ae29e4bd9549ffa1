"""The writing wing between its own worlds, with as many organizations as a row needs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Flask

from bench.stage import API, Stage
from panel import services
from panel.data.schema import migrate
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.settings import from_env
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.pass_queue import PassQueue
from panel.sync.people import OUR_ATTRIBUTES

FIRST_COMPANY = 100_000
PEOPLE = 2  # beside the company's own contact


@dataclass(frozen=True)
class Wing:
    """Runs passes in this process, without a budget. `environ`: the settings of a panel or worker
    beside them."""

    office: BackOffice
    chat: Chatwoot
    intake: Intake
    jobs: Jobs
    environ: Mapping[str, str]

    @property
    def contacts(self) -> dict[str, int]:
        """Return the contacts' numbers in Chatwoot, by e-mail."""
        return {str(row["email"]): row["id"] for row in self.chat.contacts.values()}

    def settle(self, number: int, people: int = PEOPLE) -> None:
        """Add a company, and bring it in line by a pass."""
        add_company(self.office, number, people)
        self.jobs.bring_in_line(number)


@contextmanager
def open_wing(stage: Stage, shape: str) -> Iterator[Wing]:
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Panel", "panel@bench.example", "administrator", ADMIN_TOKEN)
    for number, key in enumerate(OUR_ATTRIBUTES, start=1):
        kind = {"attribute_model": "contact_attribute", "attribute_display_type": "text"}
        chat.definitions[number] = {"id": number, "attribute_key": key, **kind}
    servers = serve(office), serve(chat)
    worlds = {"MIDDAG_API_URL": servers[0].url + API, "CHATWOOT_URL": servers[1].url}
    environ = stage.environ(shape, **worlds)
    shared = services.build(from_env(environ), Flask("wing"))
    migrate(shared.database)
    PassQueue(shared.database).migrate()
    intake = Intake(shared.database)
    try:
        yield Wing(office, chat, intake, Jobs(shared, intake), environ)
    finally:
        shared.database.dispose()
        for server in servers:
            server.stop()


def add_company(office: BackOffice, number: int, people: int = PEOPLE) -> None:
    """Add a company. `people`: the number of collaborators, without the company's own contact."""
    host = f"empresa{number}.example"
    company = {"name": f"Empresa {number}", "status": "publish", "email": f"contato@{host}"}
    office.put("organization", number, {**company, "billing_entity": "middag_br"})
    ends = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m-%dT12:00:00Z")
    row = {"id": number, "code": f"PLG-{number}", "status": "active", "expires_at": ends}
    office.put("entitlements", number, {**row, "organization_id": number})
    for place in range(people):
        person = {"id": number * 100 + place, "organization_id": number, "user_id": None}
        fields = {"email": f"pessoa{place}@{host}", "role": "member", "status": "active"}
        office.put("collaborators", number, {**person, **fields})


def change_role(office: BackOffice, number: int) -> Json:
    """Make the first collaborator an owner, or a member again; returns their row."""
    row = office.rows("collaborators", number)[0]
    role = "member" if row["role"] == "owner" else "owner"
    new_row = {**row, "role": role}
    office.put("collaborators", number, new_row)
    return new_row
