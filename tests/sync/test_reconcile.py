"""One pass, against the built-in worlds on real sockets: what Chatwoot knows afterwards."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from panel.data import db
from panel.data.directory import Directory
from panel.data.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED, Link, Links
from panel.data.search_index import SearchIndex
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot, Failure
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.errors import GiveUp, PanelError, TryLater, Unauthorized
from panel.locks import ThreadLocks
from panel.settings import from_env
from panel.sync.contact_errors import FAILURES_IN_A_ROW
from panel.sync.people import OUR_ATTRIBUTES
from panel.sync.reconcile import DELETED, Reconciler
from panel.upstream.chatwoot import Chatwoot as Client
from panel.upstream.chatwoot import connect
from panel.upstream.client import Client as Http
from panel.upstream.middag import BackOffice as Office
from tests.conftest import build_cache, with_tables

API = "/wp-json/middag-account/v1"
UPDATED = ["organization.updated"]
SOON = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m-%dT12:00:00Z")


@dataclass
class Bench:
    office: BackOffice
    chat: Chatwoot
    contacts: Reconciler
    links: Links
    directory: Directory
    reader: Office

    def run(self, organization: int = 42, *kinds: str) -> None:
        self.contacts.bring_in_line(organization, kinds or UPDATED)

    def contact(self, **fields: str) -> Json:
        """The one contact with these values."""
        rows = [
            row
            for row in self.chat.contacts.values()
            if all(str(row.get(key)) == value for key, value in fields.items())
        ]
        assert len(rows) == 1, rows
        return rows[0]

    def told(self, **fields: str) -> dict[str, Any]:
        attributes: dict[str, Any] = self.contact(**fields)["custom_attributes"]
        return attributes


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.tokens[ADMIN_TOKEN] = 1
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    company(office, 42, "Acme Ltda", "contato@acme.example")
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    person(office, 42, 2, "bia@acme.example", "member", None)
    entitlement(office, 42, 1, "active", SOON)
    servers = serve(office), serve(chat)
    yield build(office, chat, servers[0].url, servers[1].url, tmp_path)
    for server in servers:
        server.stop()


def build(
    office: BackOffice, chat: Chatwoot, at: str, chat_at: str, folder: Path, url: str = ""
) -> Bench:
    settings = from_env(
        {
            "CHATWOOT_CONTACT_VIEW_SECRET": SECRET,
            "MIDDAG_API_URL": at + API,
            "CHATWOOT_URL": chat_at,
            "CHATWOOT_ACCOUNT_ID": "1",
            "CHATWOOT_API_TOKEN": ADMIN_TOKEN,
            "PANEL_DATABASE_URL": url or f"sqlite:///{with_tables(folder)}/panel.db",
        }
    )
    kept = build_cache("memory:", Flask("bench"))
    engine = db.connect(settings.database_url)
    account = Client(connect(chat_at, ADMIN_TOKEN), kept, 1)
    bearer = {"Authorization": f"Bearer {SECRET}"}
    reader = Office(Http(settings.middag_api_url, bearer), kept, "cents")
    directory, links = Directory(engine), Links(engine)
    tools = (directory, SearchIndex(engine), links, ThreadLocks())
    contacts = Reconciler(settings, reader, account, *tools)
    return Bench(office, chat, contacts, links, directory, reader)


def company(office: BackOffice, number: int, name: str, email: str = "", **more: Any) -> None:
    document = {"id": number, "name": name, "status": "publish", "email": email or None}
    office.put("organization", number, {**document, "billing_entity": "middag_br", **more})


def person(
    office: BackOffice, company: int, number: int, email: str, role: str, user: int | None
) -> None:
    row = {"id": number, "organization_id": company, "user_id": user, "email": email, "role": role}
    office.put("collaborators", company, {**row, "status": "active"})


def entitlement(
    office: BackOffice, company: int, number: int, status: str, expires: str | None
) -> None:
    row = {"id": number, "code": f"PLG-{number}", "status": status, "expires_at": expires}
    office.put("entitlements", company, {**row, "organization_id": company})


def test_a_pass_keeps_for_panels_which_entitlements_are_stopped(bench: Bench) -> None:
    assert bench.reader.peek_stopped(42) is None
    bench.run()
    assert bench.reader.peek_stopped(42) == {}
    entitlement(bench.office, 42, 2, "suspended", None)
    entitlement(bench.office, 42, 3, "cancelled", None)
    bench.run()
    assert bench.reader.peek_stopped(42) == {"PLG-2": "suspended", "PLG-3": "cancelled"}
    entitlement(bench.office, 42, 2, "active", None)
    bench.run()
    assert bench.reader.peek_stopped(42) == {"PLG-3": "cancelled"}


# -- contacts ------------------------------------------------------------------------------------


def test_a_first_pass_makes_a_contact_for_the_company_and_each_collaborator(bench: Bench) -> None:
    bench.run()

    assert len(bench.chat.contacts) == 3
    for email in ("ana@acme.example", "bia@acme.example", "contato@acme.example"):
        assert bench.contact(email=email)["identifier"] is None


def test_a_contact_knows_what_it_may_know_about_itself(bench: Bench) -> None:
    bench.run()

    assert bench.told(email="ana@acme.example") == {
        "middag_organization_id": "42",
        "middag_organization": "Acme Ltda",
        "middag_role": "owner",
        "middag_billing_entity": "middag_br",
        "middag_entitlement_status": "active",
        "middag_active_entitlements": 1,
        "middag_next_expiry": SOON[:10],
    }


def test_a_second_pass_writes_nothing(bench: Bench) -> None:
    bench.run()
    bench.chat.forget()

    bench.run()

    assert bench.chat.writes == []


def test_a_new_contact_is_made_and_then_told(bench: Bench) -> None:
    """Attributes follow the seat: two writes each, and nothing is read but one question for all."""
    bench.run()

    assert len(bench.chat.writes) == 2 * 3
    assert bench.chat.count() == 2 * 3 + 1


def test_a_changed_entitlement_writes_the_difference_alone(bench: Bench) -> None:
    bench.run()
    bench.chat.forget()
    entitlement(bench.office, 42, 2, "suspended", None)

    bench.run()

    changes = [call.body["custom_attributes"] for call in bench.chat.writes]
    assert changes == [{"middag_entitlement_status": "suspended"}] * 3


def test_a_person_who_is_there_already_is_found_and_not_made_again(bench: Bench) -> None:
    number = bench.chat.add_contact(name="Ana", email="ANA@acme.example")["id"]

    bench.run()

    assert len(bench.chat.contacts) == 3
    assert bench.chat.contacts[number]["custom_attributes"]["middag_role"] == "owner"


def test_the_company_is_found_by_its_phone(bench: Bench) -> None:
    company(bench.office, 42, "Acme Ltda", "", phone="+55 61 99999-0000")
    number = bench.chat.add_contact(name="Acme", phone_number="+5561999990000")["id"]

    bench.run()

    row = bench.chat.contacts[number]
    assert (row["identifier"], row["custom_attributes"]["middag_role"]) == (None, "organization")


@pytest.mark.parametrize(("before", "after"), [("", "ana"), ("Aninha", "Aninha")])
def test_an_empty_name_is_filled_and_a_full_one_left(bench: Bench, before: str, after: str) -> None:
    bench.chat.add_contact(name=before, email="ana@acme.example")

    bench.run()

    assert bench.contact(email="ana@acme.example")["name"] == after


def test_an_identifier_of_the_shop_is_not_replaced(bench: Bench) -> None:
    bench.chat.add_contact(name="Ana", email="ana@acme.example", identifier="shop-77")

    bench.run()

    assert bench.contact(email="ana@acme.example")["identifier"] == "shop-77"


def test_a_phone_that_another_contact_owns_is_left_out(bench: Bench) -> None:
    bench.chat.add_contact(name="Acme", email="contato@acme.example")
    company(bench.office, 42, "Acme Ltda", "contato@acme.example", phone="+55 61 99999-0000")
    bench.chat.add_contact(name="Somebody", email="s@x.example", phone_number="+5561999990000")

    bench.run()

    row = bench.contact(email="contato@acme.example")
    assert (row["phone_number"], row["custom_attributes"]["middag_role"]) == (None, "organization")


def test_an_email_that_company_and_owner_share_is_the_owners(bench: Bench) -> None:
    company(bench.office, 42, "Acme Ltda", "ana@acme.example")

    bench.run()

    assert bench.told(email="ana@acme.example")["middag_role"] == "owner"
    assert bench.contact(name="Acme Ltda")["email"] is None


def test_a_contact_that_cannot_be_updated_is_reported_and_the_others_go_through(
    bench: Bench,
) -> None:
    broken = bench.chat.add_contact(name="Ana", email="ana@acme.example")
    broken["phone_number"] = "no phone"

    with pytest.raises(GiveUp, match="phone_number"):
        bench.run()

    assert bench.told(email="bia@acme.example")["middag_organization_id"] == "42"


def test_attributes_of_others_are_never_touched(bench: Bench) -> None:
    bench.chat.add_contact(name="Ana", email="ana@acme.example", custom_attributes={"vip": "yes"})

    bench.run()

    assert bench.told(email="ana@acme.example")["vip"] == "yes"


def test_what_an_agent_picked_for_a_contact_stays_beside_its_seats(bench: Bench) -> None:
    company(bench.office, 45, "Bela Ltda")
    bench.run()
    bench.run(45)
    ana = next(each for each in bench.chat.contacts.values() if each["email"] == "ana@acme.example")
    bench.links.put(Link(CONTACT, ana["id"], 45, PICKED, agent=2, disclosed=True))
    bench.run()
    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42,45"
    assert bench.told(email="ana@acme.example")["middag_role"] == "guest"


# -- people of several organizations, and those who leave ----------------------------------------


def two_organizations(bench: Bench) -> None:
    company(bench.office, 45, "Beta SA", billing_entity="middag_global")
    person(bench.office, 45, 9, "Ana@acme.example", "admin", 7)
    entitlement(bench.office, 45, 9, "suspended", None)


def test_a_person_of_two_organizations_is_one_contact_that_names_both(bench: Bench) -> None:
    two_organizations(bench)

    bench.run(45)
    bench.run(42)

    told = bench.told(email="ana@acme.example")
    assert told["middag_organization_id"] == "42,45"
    assert told["middag_organization"] == "Acme Ltda, Beta SA"
    assert told["middag_entitlement_status"] == "suspended"
    assert "middag_billing_entity" not in told


def test_passes_of_two_organizations_at_once_lose_neither(bench: Bench) -> None:
    two_organizations(bench)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(bench.run, [42, 45]))

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42,45"


def test_who_is_no_longer_named_loses_that_organization_alone(bench: Bench) -> None:
    two_organizations(bench)
    bench.run(42)
    bench.run(45)
    bench.office.remove("collaborators", 42, 1)

    bench.run(42)

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "45"


def test_the_last_organization_gone_clears_ours_and_nothing_else(bench: Bench) -> None:
    bench.run()
    bench.contact(email="ana@acme.example")["custom_attributes"]["vip"] = "yes"
    bench.office.remove("collaborators", 42, 1)

    bench.run()

    assert bench.told(email="ana@acme.example") == {"vip": "yes"}


def test_the_people_of_every_page_are_people_of_the_organization(bench: Bench) -> None:
    for number in range(10, 55):
        person(bench.office, 42, number, f"p{number}@acme.example", "member", None)

    bench.run()
    bench.run()

    assert len(bench.chat.contacts) == 3 + 45
    assert bench.told(email="p54@acme.example")["middag_organization_id"] == "42"


def test_an_empty_list_of_collaborators_clears_nobody(bench: Bench) -> None:
    bench.run()
    for number in (1, 2):
        bench.office.remove("collaborators", 42, number)

    bench.run()

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42"


@pytest.mark.parametrize(
    "fault", ["500", "wordpress401", "403", "html", "badjson", "rest_no_route"]
)
def test_a_back_office_in_trouble_changes_nothing_in_chatwoot(bench: Bench, fault: str) -> None:
    bench.run()
    bench.chat.forget()
    bench.office.fault(fault)

    with pytest.raises(PanelError):
        bench.run(42, DELETED)

    assert bench.chat.writes == []


def test_an_organization_deleted_and_confirmed_is_cleared_and_its_contacts_stay(
    bench: Bench,
) -> None:
    bench.run()
    del bench.office.organizations[42]

    bench.run(42, DELETED)

    assert len(bench.chat.contacts) == 3
    assert not set(bench.told(email="ana@acme.example")) & set(OUR_ATTRIBUTES)
    assert bench.directory.people_of(42) == {}


def test_an_unknown_organization_without_that_hook_clears_nothing(bench: Bench) -> None:
    bench.run()
    del bench.office.organizations[42]

    with pytest.raises(GiveUp, match="unknown_organization"):
        bench.run(42, "entitlement.renewed")

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42"


# -- links and conversations ---------------------------------------------------------------------


def test_a_pass_writes_the_links_that_the_panel_calls_matched(bench: Bench) -> None:
    bench.run()

    number = bench.contact(email="ana@acme.example")["id"]
    assert [(link.state, link.rests_on) for link in bench.links.find(1, number)] == [
        ("matched", "email")
    ]


def test_an_agents_refusal_is_not_overwritten_by_a_match(bench: Bench) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    bench.links.put(Link(CONTACT, number, 42, REFUSED, agent=2))

    bench.run()

    said = {(link.state, link.agent) for link in bench.links.find(1, number)}
    assert said == {(REFUSED, 2), (MATCHED, None)}


def test_open_conversations_name_the_organization_and_keep_what_stood_there(bench: Bench) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = bench.chat.add_conversation(number, custom_attributes={"topic": "billing"})

    bench.run()

    assert bench.chat.conversations[talk["id"]]["custom_attributes"] == {
        "topic": "billing",
        "middag_organization_id": "42",
        "middag_organization": "Acme Ltda",
    }


@pytest.mark.parametrize("state", [PICKED, REFUSED])
def test_a_conversation_that_an_agent_decided_is_left_alone(bench: Bench, state: str) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = bench.chat.add_conversation(number)
    bench.links.put(Link(CONVERSATION, talk["id"], 99, state, agent=2))

    bench.run()

    assert bench.chat.conversations[talk["id"]]["custom_attributes"] == {}


def test_a_conversation_of_several_organizations_is_left_to_the_agent(bench: Bench) -> None:
    two_organizations(bench)
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    open_one = bench.chat.add_conversation(number)
    named = bench.chat.add_conversation(number, custom_attributes={"middag_organization_id": "45"})

    bench.run(45)
    bench.chat.conversations[open_one["id"]]["custom_attributes"] = {}
    bench.run(42)

    assert bench.chat.conversations[open_one["id"]]["custom_attributes"] == {}
    assert (
        bench.chat.conversations[named["id"]]["custom_attributes"]["middag_organization"]
        == "Beta SA"
    )


def test_a_closed_conversation_is_left_as_it_is(bench: Bench) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = bench.chat.add_conversation(number, status="resolved")

    bench.run()

    assert bench.chat.conversations[talk["id"]]["custom_attributes"] == {}


# -- Chatwoot in trouble -------------------------------------------------------------------------


def test_what_may_heal_is_for_later_and_a_repeated_pass_makes_nobody_twice(bench: Bench) -> None:
    bench.chat.flaky(0.3, seed=4, lost=0.5)
    for _ in range(60):
        try:
            bench.run()
            break
        except TryLater:
            continue
    bench.chat.flaky(0.0)
    bench.run()

    emails = [row["email"] for row in bench.chat.contacts.values()]
    assert sorted(emails) == ["ana@acme.example", "bia@acme.example", "contato@acme.example"]


def test_no_look_up_uses_the_fuzzy_search(bench: Bench) -> None:
    bench.run()

    assert bench.chat.count("/contacts/search") == 0


# -- what Chatwoot cannot show ------------------------------------------------------------------


def test_twenty_conversations_that_end_in_a_long_mail_are_all_named(bench: Bench) -> None:
    bench.run()
    ana = bench.contact(email="ana@acme.example")["id"]
    html = "<p>Good morning, our courses are gone.</p>" * 440
    for _ in range(20):
        number = bench.chat.add_conversation(ana)["id"]
        bench.chat.add_mail(number, "Good morning", html)
    bench.run()
    named = [row for row in bench.chat.conversations.values() if row["contact_id"] == ana]
    assert {row["custom_attributes"]["middag_organization_id"] for row in named} == {"42"}
    assert len(named) == 20


@pytest.mark.parametrize("code", ["too_large", "http_500"])
def test_a_contact_that_cannot_be_read_does_not_stop_the_others(bench: Bench, code: str) -> None:
    bench.run()
    ana = bench.contact(email="ana@acme.example")["id"]
    person(bench.office, 42, 3, "zoe@acme.example", "member", None)
    del bench.office.collaborators[42][1]
    if code == "too_large":
        number = bench.chat.add_conversation(ana)["id"]
        bench.chat.add_message(number, "<" * 750_000)
    else:
        broken = f"/contacts/{ana}/conversations"
        bench.chat.failures = lambda call: Failure(500) if call.path.endswith(broken) else None
    with pytest.raises(PanelError) as caught:
        bench.run()
    assert caught.value.code == code
    assert bench.told(email="zoe@acme.example")["middag_organization_id"] == "42"
    assert "middag_organization_id" not in bench.told(email="bia@acme.example")


def test_a_chatwoot_that_refuses_the_token_is_asked_once(bench: Bench) -> None:
    bench.chat.tokens.clear()
    with pytest.raises(Unauthorized):
        bench.run()
    assert bench.chat.count() == 1


def test_a_chatwoot_that_answers_nobody_is_left_alone_after_a_few(bench: Bench) -> None:
    for number in range(3, 30):
        person(bench.office, 42, number, f"p{number}@acme.example", "member", None)
    bench.chat.down = True
    with pytest.raises(TryLater):
        bench.run()
    assert bench.chat.count() <= 2 * FAILURES_IN_A_ROW


def test_a_database_that_is_too_slow_for_a_write_refused_no_value(bench: Bench) -> None:
    """Since 4.16 Chatwoot answers so with 422, without naming an attribute."""
    bench.run()
    bench.chat.failures = lambda call: Failure(422) if call.method == "PUT" else None
    bench.office.organizations[42]["name"] = "Acme S.A."
    with pytest.raises(TryLater):
        bench.run()


def test_a_new_contact_is_not_read_again(bench: Bench) -> None:
    bench.run()
    read = [call.path for call in bench.chat.calls if call.method == "GET"]
    assert [path for path in read if path.rpartition("/")[2].isdigit()] == []
