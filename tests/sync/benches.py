"""A pass between the built-in worlds, on either database, for tests of people and their
contacts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.sync.people import OUR_ATTRIBUTES
from tests.sync.passes import Bench, build, company

SITE, APP, MAIL, WHATSAPP = 1, 2, 3, 4
CHANNELS = {
    SITE: "Channel::WebWidget",
    APP: "Channel::Api",
    MAIL: "Channel::Email",
    WHATSAPP: "Channel::Whatsapp",
}


@contextmanager
def bench_on(url: str, folder: Path) -> Iterator[Bench]:
    """Make Acme (42) without people, and an account with an inbox of each kind and our
    attributes."""
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    for inbox, channel in CHANNELS.items():
        chat.add_inbox(inbox, channel, channel, {1})
    for number, key in enumerate(OUR_ATTRIBUTES, start=1):
        kind = {"attribute_model": "contact_attribute", "attribute_display_type": "text"}
        chat.definitions[number] = {"id": number, "attribute_key": key, **kind}
    company(office, 42, "Acme Ltda", "contato@acme.example")
    servers = serve(office), serve(chat)
    bench = build(office, chat, servers[0].url, servers[1].url, folder, url)
    yield bench
    bench.database.dispose()
    for server in servers:
        server.stop()


def collaborator(bench: Bench, number: int, name: str, **fields: Any) -> None:
    """Add a collaborator, of Acme unless `organization` names another."""
    organization = fields.pop("organization", 42)
    row = {"id": number, "organization_id": organization, "user_id": number, "name": name}
    row |= {"email": f"{name}@acme.example", "role": "member", "status": "active"}
    bench.office.put("collaborators", organization, {**row, "invite_status": "accepted", **fields})


def join(bench: Bench, contact: Json, inbox: int) -> None:
    """Let the contact write through this inbox."""
    row = bench.chat.inboxes[inbox]
    contact["contact_inboxes"].append({"inbox": row, "source_id": f"source-{contact['id']}"})


def ours(contact: Json) -> dict[str, Any]:
    attributes = contact["custom_attributes"]
    return {key: attributes[key] for key in OUR_ATTRIBUTES if key in attributes}


def organization_of(contact: Json) -> str | None:
    return ours(contact).get("middag_organization_id")


def talk(bench: Bench, contact: Json, inbox: int = MAIL, **fields: Any) -> Json:
    return bench.chat.add_conversation(contact["id"], inbox, **fields)


def name_of(conversation: Json) -> str | None:
    name = conversation["custom_attributes"].get("middag_organization_id")
    return str(name) if name else None
