"""serve() puts a world on a socket; demo_worlds() fills both with every scenario."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from werkzeug.serving import WSGIRequestHandler, make_server

from panel.demo.account import Account
from panel.demo.backoffice import BackOffice
from panel.demo.catalogue import COMPANIES, companies
from panel.demo.chatwoot import Chatwoot
from panel.demo.companies import Maker, load
from panel.demo.records import message_row
from panel.demo.scenarios import EMAIL, REGULARS, SCENARIOS, WEB, WHATSAPP, Scenario
from panel.demo.world import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

SECRET = "demo-secret-of-at-least-24-characters"
ADMIN_TOKEN = "demo-administrator-token"
AGENT_TOKEN = "demo-agent-token"
BETWEEN = 1380  # seconds between two conversations
FIRST_REGULARS = 4  # so many regular customers stand above every other conversation
AGENT = 2  # the agent whose browser the demo page plays


class _Handler(WSGIRequestHandler):
    """A quiet handler that lets api_access_token through, as Puma does."""

    # Connections are not kept: a stopped server would go on to answer on them.
    protocol_version = "HTTP/1.0"
    server_version = "demo"
    sys_version = ""

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        token = self.headers.get("api_access_token")
        if token is not None:
            environ["HTTP_API_ACCESS_TOKEN"] = token
        return environ

    def log_request(self, *_args: object, **_kwargs: object) -> None:
        pass

    def log_error(self, *_args: object, **_kwargs: object) -> None:
        pass


class Server:
    """A WSGI app on a real socket, a thread for each request, until stop()."""

    def __init__(self, app: WSGIApplication, host: str, port: int) -> None:
        self.app = app
        # The socket is bound here, because werkzeug ends the program when the port is taken.
        with socket.create_server((host, port), backlog=256) as listener:
            self.port: int = listener.getsockname()[1]
            self._server = make_server(
                host, self.port, app, threaded=True, request_handler=_Handler, fd=listener.fileno()
            )
        self.url = f"http://{host}:{self.port}"
        self._call_app("open")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Close the socket; hanging answers end."""
        self._call_app("close")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _call_app(self, name: str) -> None:
        hook = getattr(self.app, name, None)
        if hook is not None:
            hook()


def serve(app: WSGIApplication, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Serve an app; port 0 is any free one. OSError when the port is taken."""
    return Server(app, host, port)


def find_today() -> date:
    """Return today's date in the zone of the demo's panel, in which it counts days."""
    return datetime.now(ZoneInfo("America/Sao_Paulo")).date()


def demo_worlds(
    today: date, secret: str = SECRET, account: int = 1, token: str = ADMIN_TOKEN
) -> tuple[BackOffice, Chatwoot]:
    """Return a back office and a Chatwoot with the data of every scenario, as of this day."""
    office, chat = BackOffice([secret]), Chatwoot(account)
    for company in companies(today):
        load(office, company)
    _staff(chat, token)
    noon = _last_noon(today)
    for at, scenario in enumerate(SCENARIOS.values()):
        _conversation(chat, scenario, noon - at * BETWEEN)
        if scenario.chatwoot_down:
            chat.unreachable.add(scenario.conversation)
    break_worlds(office, chat)
    return office, chat


def _last_noon(today: date) -> int:
    noon = datetime.combine(today, datetime.min.time(), UTC) - timedelta(hours=12)
    return int(noon.timestamp())


def add_regulars(chat: Account, today: date) -> None:
    """Add the customers without trouble: the newest first, the others between the rest."""
    noon = _last_noon(today)
    for at, row in enumerate(REGULARS.values()):
        _conversation(chat, row, noon - (at - FIRST_REGULARS) * BETWEEN - BETWEEN // 2)


def break_worlds(office: BackOffice, chat: Chatwoot) -> None:
    """Set the faults that the scenarios are about."""
    for row in SCENARIOS.values():
        if row.chatwoot_down:
            chat.unreachable.add(row.conversation)
        for section in (row.sections or (None,)) if row.fault else ():
            office.fault(row.fault or "", row.organizations[0], section)


def _staff(chat: Account, token: str) -> None:
    """Add the service's administrator, two agents of the inboxes and one of none."""
    chat.add_agent(1, "Painel MIDDAG", "painel@suporte.example", "administrator", token)
    chat.add_agent(AGENT, "Bruno Lima", "bruno@suporte.example", token=AGENT_TOKEN)
    chat.add_agent(3, "Carla Dias", "carla@suporte.example", token="demo-second-agent-token")
    chat.add_agent(4, "Diego Reis", "diego@suporte.example", token="demo-outsider-token")
    chat.sessions["demo-session", "demo-client", "bruno@suporte.example"] = AGENT
    chat.add_inbox(WEB, "Site", "Channel::WebWidget", {AGENT, 3})
    chat.add_inbox(WHATSAPP, "WhatsApp", "Channel::Whatsapp", {AGENT, 3})
    chat.add_inbox(EMAIL, "Suporte", "Channel::Email", {AGENT})


def _conversation(chat: Account, row: Scenario, moment: int) -> None:
    """Add a scenario's contact and conversation, whose last message came at `moment`."""
    claim = ",".join(str(number) for number in row.organizations)
    claims = {"middag_organization_id": claim} if claim else {}
    person = row.person
    chat.add_contact(
        row.contact,
        name=person.name,
        email=person.email,
        phone_number=person.phone,
        identifier=row.identifier,
        additional_attributes={
            "city": person.city,
            "country_code": person.country,
            "company_name": _name_company(row),
        },
        custom_attributes=claims if row.claim == "contact" else {},
        contact_inboxes=[{"inbox": chat.inboxes[row.inbox], "source_id": _source(row)}],
        last_activity_at=moment,
        created_at=moment - 86400 * 40,
    )
    chat.add_conversation(
        row.contact,
        row.inbox,
        row.conversation,
        custom_attributes=claims if row.claim == "conversation" else {},
        additional_attributes={"browser_language": "en" if person.country == "US" else "pt"},
        assignee_id=AGENT,
        created_at=moment - 900,
        last_activity_at=moment,
        messages=_messages(row, moment),
    )


def _name_company(row: Scenario) -> str:
    """Return the company that an agent typed for a customer unknown to MIDDAG Account."""
    numbers = row.organizations if row.fault else ()
    companies = (COMPANIES[number](Maker(date(2026, 1, 1), number)) for number in numbers)
    return next((str(company.organization["name"]) for company in companies), "")


def _source(row: Scenario) -> str:
    """Return the contact's id in the channel: digits, address or a widget's random one."""
    if row.inbox == WHATSAPP:
        return (row.person.phone or "").lstrip("+")
    return row.person.email or "" if row.inbox == EMAIL else f"widget-{row.contact}"


def _messages(row: Scenario, moment: int) -> list[Json]:
    customer = {"id": row.contact, "type": "contact"}
    agent = {"id": AGENT, "type": "user"}
    english = row.person.country == "US"
    hello, reply = ("Hello!", "Hi! How can I help?") if english else ("Olá!", "Oi! Como ajudo?")
    lines = [
        (hello, 0, False, customer),
        (reply, 1, False, agent),
        (f"Demo scenario: {row.label}.", 1, True, agent),
        (row.says, 0, False, customer),
    ]
    place = {"id": row.conversation, "contact_id": row.contact, "inbox_id": row.inbox}
    return [
        message_row(
            row.conversation * 10 + at,
            place,
            content,
            {
                "message_type": kind,
                "private": private,
                "sender": sender,
                "created_at": moment - (len(lines) - 1 - at) * 240,
            },
        )
        for at, (content, kind, private, sender) in enumerate(lines)
    ]
