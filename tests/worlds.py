"""The two built-in worlds on real sockets, and the environment of a panel before them."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panel.data.directory import Person
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.scenarios import WHATSAPP, Scenario
from panel.demo.worlds import ADMIN_TOKEN, SECRET, Server, demo_worlds, find_today, serve
from panel.services import Services
from panel.settings import Settings, from_env

API = "/wp-json/middag-account/v1"
TODAY = find_today()


def environment(office_url: str, chat_url: str, folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a panel before these worlds, with its state in `folder`."""
    return {
        "CHATWOOT_CONTACT_VIEW_SECRET": SECRET,
        "MIDDAG_API_URL": office_url + API,
        "CHATWOOT_URL": chat_url,
        "CHATWOOT_ACCOUNT_ID": "1",
        "CHATWOOT_API_TOKEN": ADMIN_TOKEN,
        "CHATWOOT_CALLS_PER_MINUTE": "100000",
        "MIDDAG_CALLS_PER_MINUTE": "100000",
        "PANEL_CACHE_URL": f"file:{folder / 'cache'}",
        "PANEL_DATABASE_URL": f"sqlite:///{folder / 'panel.db'}",
        **changes,
    }


def no_worlds(folder: Path, **changes: str) -> Settings:
    """Return the settings of a panel without outside worlds."""
    return from_env(environment("http://a.invalid", "http://b.invalid", folder, **changes))


@dataclass(frozen=True)
class Worlds:
    """Both outside worlds on sockets."""

    office: BackOffice
    chat: Chatwoot
    office_url: str
    chat_url: str

    @property
    def calls(self) -> int:
        return self.office.count() + self.chat.count()


def prove_customer(chat: Chatwoot, services: Services, row: Scenario, organization: int) -> None:
    """Set up a proof: a phone channel, its source, and one person who has the phone."""
    phone = f"+55619888{row.conversation:05d}"
    contact, inbox = chat.contacts[row.contact], chat.inboxes[WHATSAPP]
    contact["phone_number"] = phone
    contact["contact_inboxes"] = [{"inbox": inbox, "source_id": phone.removeprefix("+")}]
    chat.conversations[row.conversation]["inbox_id"] = WHATSAPP
    key = f"collaborator:{row.contact}"
    services.directory.put_person(Person(organization, key, row.contact, "owner", None, phone))


@contextmanager
def worlds_on_sockets() -> Iterator[Worlds]:
    office, chat = demo_worlds(TODAY)
    servers = serve(office.app), serve(chat.app)
    yield Worlds(office, chat, servers[0].url, servers[1].url)
    stop(servers)


def stop(servers: Iterable[Server]) -> None:
    """Stop all servers at once, because each takes a moment to notice."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Server.stop, servers))
