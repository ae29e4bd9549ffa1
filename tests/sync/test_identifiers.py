"""Attacks by an anonymous visitor on what passes write and believe; a test for each.

What the visitor does goes over the built-in Chatwoot's widget; what comes of it is read from there.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import Result

from panel.data.directory import COMPANY
from panel.data.links import CONTACT, CONVERSATION, PICKED, Link
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot, Failure, never
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.errors import GiveUp, TryLater
from panel.services import Services, get
from panel.sync.jobs import Jobs
from panel.sync.people import OUR_ATTRIBUTES
from tests.conftest import Panel, Worlds, panels_before, stop
from tests.sync.test_reconcile import company, person
from tests.visitor import Visitor

PANEL_URL = "https://panel.example.com"
NUMBERS = range(1, 61)  # what a visitor counts through
API_INBOX = 2


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    """Acme (42) with two people; Bare (43), a company without e-mail and phone."""
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    chat.add_inbox(API_INBOX, "App", "Channel::Api", {1})
    company(office, 42, "Acme Ltda", "contato@acme.example", phone="+55 61 99999-0042")
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    person(office, 42, 2, "bia@acme.example", "member", 8)
    company(office, 43, "Bare Ltda")
    servers = serve(office), serve(chat)
    yield Worlds(office, chat, servers[0].url, servers[1].url)
    stop(servers)


@pytest.fixture
def panel(worlds: Worlds, tmp_path: Path) -> Iterator[Panel]:
    with panels_before(worlds, tmp_path) as make:
        panel = make(PANEL_URL=PANEL_URL)
        assert command(panel, "setup").exit_code == 0
        yield panel


def command(panel: Panel, *words: str) -> Result:
    return panel.app.test_cli_runner().invoke(args=list(words))


def run(panel: Panel, *organizations: int) -> None:
    for organization in organizations or (42, 43):
        get(Jobs, panel.app).bring_in_line(organization)


def row(panel: Panel, **fields: Any) -> Json:
    """The one contact with these values."""
    wanted = fields.items()
    (found,) = [
        each for each in panel.chat.contacts.values() if all(each[k] == v for k, v in wanted)
    ]
    return found


def seats(panel: Panel, organization: int) -> dict[str, Any]:
    return get(Services, panel.app).directory.people_of(organization)


def as_earlier_version(panel: Panel) -> None:
    """What the version before wrote: an identifier with a number into every contact and seat."""
    run(panel)
    directory = get(Services, panel.app).directory
    old = {"collaborator:1": "middag:user:7", "collaborator:2": "middag:user:8"}
    for organization in (42, 43):
        for key, seat in directory.people_of(organization).items():
            identifier = old.get(key, f"middag:organization:{organization}")
            directory.put_person(replace(seat, identifier=identifier))
            panel.chat.contacts[seat.contact]["identifier"] = identifier


def count_through(worlds: Worlds) -> list[Json]:
    """Every row that shows more than the visitor said, of all that the numbers lead to."""
    found = []
    for number in NUMBERS:
        for kind in ("user", "organization"):
            visitor = Visitor(worlds.chat_url)
            visitor.says(identifier=f"middag:{kind}:{number}")
            found.append(visitor.reads())
    return [each for each in found if each["email"] or each["custom_attributes"]]


def knows_of_a_customer(row: Json) -> bool:
    return bool(set(row["custom_attributes"]) & set(OUR_ATTRIBUTES) or row["email"])


# -- counting ------------------------------------------------------------------------------------


def test_counting_identifiers_finds_nobody_after_a_pass(panel: Panel, worlds: Worlds) -> None:
    run(panel)
    assert count_through(worlds) == []


def test_counting_found_everybody_on_a_database_of_an_earlier_version_until_the_first_pass(
    panel: Panel, worlds: Worlds
) -> None:
    as_earlier_version(panel)
    one = Visitor(worlds.chat_url)
    one.says(identifier="middag:user:7")
    assert one.reads()["email"] == "ana@acme.example"

    run(panel)

    assert count_through(worlds) == []
    kept = [seat.identifier for each in (42, 43) for seat in seats(panel, each).values()]
    assert not [each for each in kept if each and each.startswith("middag:")]


def test_whatever_number_stands_in_a_contact_of_ours_it_is_set_to_null(panel: Panel) -> None:
    run(panel)
    row(panel, email="ana@acme.example")["identifier"] = "MIDDAG:User:99"
    run(panel)
    assert row(panel, email="ana@acme.example")["identifier"] is None


def test_counting_through_the_public_api_of_an_api_inbox_finds_nobody(
    panel: Panel, worlds: Worlds
) -> None:
    run(panel)
    at = f"{worlds.chat_url}/public/api/v1/inboxes/inbox-{API_INBOX}/contacts"
    for number in (7, 8, 42, 43):
        for kind in ("user", "organization"):
            answer = requests.post(at, json={"identifier": f"middag:{kind}:{number}"}, timeout=9)
            told = answer.json()
            assert (answer.status_code, told["email"]) == (200, None)
            assert told["name"].startswith("quiet-cloud-")  # a new contact, named by Chatwoot


def test_an_identifier_that_chatwoot_could_not_remove_stays_noted(panel: Panel) -> None:
    """`setup` counts what our table says is left: not until the contact is rid of it is it not."""
    as_earlier_version(panel)
    number = row(panel, email="ana@acme.example")["id"]
    changed = f"/contacts/{number}"
    panel.chat.failures = lambda call: (
        Failure(503) if call.method == "PUT" and call.path.endswith(changed) else None
    )
    person(panel.office, 42, 1, "ana@acme.example", "admin", 7)
    with pytest.raises(TryLater):
        run(panel, 42)
    assert seats(panel, 42)["collaborator:1"].identifier == "middag:user:7"
    panel.chat.failures = never
    run(panel, 42)
    assert seats(panel, 42)["collaborator:1"].identifier is None


def test_who_left_is_not_found_by_counting_either(panel: Panel, worlds: Worlds) -> None:
    as_earlier_version(panel)
    panel.office.remove("collaborators", 42, 2)
    run(panel)
    assert row(panel, email="bia@acme.example")["identifier"] is None


# -- the random one ------------------------------------------------------------------------------


def test_an_identifier_stands_only_where_there_is_neither_email_nor_phone(panel: Panel) -> None:
    run(panel)
    assert {each["name"] for each in panel.chat.contacts.values() if each["identifier"]} == {
        "Bare Ltda"
    }
    identifier = row(panel, name="Bare Ltda")["identifier"]
    assert len(identifier) >= 32
    assert "43" not in seats(panel, 43)[COMPANY].key
    assert seats(panel, 43)[COMPANY].identifier == identifier


def test_a_random_identifier_is_made_once(panel: Panel) -> None:
    run(panel)
    before = row(panel, name="Bare Ltda")["identifier"]
    panel.chat.forget()
    run(panel)
    assert (row(panel, name="Bare Ltda")["identifier"], panel.chat.writes) == (before, [])


def test_a_company_of_an_earlier_version_keeps_its_contact_and_gets_a_random_identifier(
    panel: Panel,
) -> None:
    as_earlier_version(panel)
    before = row(panel, name="Bare Ltda")
    run(panel)
    after = row(panel, name="Bare Ltda")
    assert after["id"] == before["id"]
    assert after["identifier"] == seats(panel, 43)[COMPANY].identifier
    assert "middag" not in after["identifier"]


def test_a_lost_answer_makes_nobody_twice(panel: Panel) -> None:
    """Chatwoot made the contact and could not say so: the next try finds it by our own word."""
    once = iter([Failure(500, applied=True)])
    made = "/api/v1/accounts/1/contacts"
    panel.chat.failures = lambda call: next(once, None) if call.path == made else None
    with pytest.raises(TryLater):
        run(panel, 43)
    panel.chat.failures = never
    run(panel, 43)
    assert row(panel, name="Bare Ltda")["identifier"] == seats(panel, 43)[COMPANY].identifier


def test_a_try_that_fails_before_chatwoot_hears_of_it_keeps_its_identifier(panel: Panel) -> None:
    made = "/api/v1/accounts/1/contacts"
    panel.chat.failures = lambda call: Failure(503) if call.path == made else None
    with pytest.raises(TryLater):
        run(panel, 43)
    kept = seats(panel, 43)[COMPANY].identifier
    panel.chat.failures = never
    run(panel, 43)
    assert row(panel, name="Bare Ltda")["identifier"] == kept


def test_a_company_contact_that_has_an_email_by_now_gets_no_second_key(panel: Panel) -> None:
    """An agent typed the e-mail in: the random identifier is not written beside it again."""
    run(panel)
    bare = row(panel, name="Bare Ltda")
    bare.update(identifier=None, email="typed@bare.example")
    run(panel)
    assert bare["identifier"] is None


def test_a_company_that_loses_its_email_is_no_lost_contact(panel: Panel) -> None:
    """Its former contact still calls itself the company's own, and stands in our table."""
    run(panel, 42)
    former = row(panel, email="contato@acme.example")
    company(panel.office, 42, "Acme Ltda")
    asked: list[Any] = []
    panel.chat.failures = lambda call: asked.append(call) if "filter" in call.path else None
    run(panel, 42)
    panel.chat.failures = never
    own = panel.chat.contacts[seats(panel, 42)[COMPANY].contact]
    assert own["identifier"] == seats(panel, 42)[COMPANY].identifier
    assert (own["id"] != former["id"], former["custom_attributes"]) == (True, {})


def test_no_command_and_no_log_shows_an_identifier(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    rehearsed = command(panel, "sync", "drift", "42", "43").output
    run(panel)
    identifier = row(panel, name="Bare Ltda")["identifier"]
    panel.chat.contacts[seats(panel, 43)[COMPANY].contact]["identifier"] = None
    drift = command(panel, "sync", "drift", "43", "--json").output
    assert "organization 43: nobody in Chatwoot is Bare Ltda: a contact should be made" in rehearsed
    assert '"identifier": "(hidden)"' in drift
    everything = (
        rehearsed + drift + command(panel, "setup").output + command(panel, "access").output
    )
    assert identifier not in everything + caplog.text


# -- strangers -----------------------------------------------------------------------------------


def squat(worlds: Worlds, identifier: str) -> Visitor:
    visitor = Visitor(worlds.chat_url)
    visitor.says(identifier=identifier)
    visitor.starts()
    return visitor


def test_the_first_comer_who_registers_an_identifier_is_no_owner_and_stays_a_stranger(
    panel: Panel, worlds: Worlds
) -> None:
    mallory = squat(worlds, "middag:organization:1001")
    eve = squat(worlds, "MIDDAG:USER:900")
    company(worlds.office, 1001, "Novo Cliente SA", plan="Enterprise")
    person(worlds.office, 1001, 5, "dono@novo.example", "owner", 900)

    run(panel, 1001)

    for visitor in (mallory, eve):
        assert not knows_of_a_customer(visitor.reads())
    talks = [talk["custom_attributes"] for talk in panel.chat.conversations.values()]
    assert talks == [{}, {}]
    assert row(panel, email="dono@novo.example")["custom_attributes"]["middag_role"] == "owner"
    matched = [
        get(Services, panel.app).links.find(0, each["id"])
        for each in (mallory.reads(), eve.reads())
    ]
    assert matched == [[], []]


def test_whom_an_earlier_version_took_for_the_owner_is_a_stranger_after_the_first_pass(
    panel: Panel, worlds: Worlds
) -> None:
    as_earlier_version(panel)
    directory = get(Services, panel.app).directory
    owner = row(panel, email="ana@acme.example")["id"]
    del panel.chat.contacts[owner]
    mallory = squat(worlds, "middag:user:7")
    number = mallory.reads()["id"]
    directory.put_person(replace(directory.people_of(42)["collaborator:1"], contact=number))
    told = {"middag_organization_id": "42", "middag_role": "owner", "middag_plan": "Business"}
    panel.chat.contacts[number]["custom_attributes"] = told

    run(panel)

    assert not knows_of_a_customer(mallory.reads())
    assert row(panel, email="ana@acme.example")["custom_attributes"]["middag_role"] == "owner"
    assert directory.memberships_of(number) == []
    assert get(Services, panel.app).links.find(0, number) == []


def test_a_company_that_a_stranger_was_taken_for_gets_a_contact_of_its_own(
    panel: Panel, worlds: Worlds
) -> None:
    as_earlier_version(panel)
    mallory = Visitor(worlds.chat_url)
    mallory.says(identifier="middag:organization:43")
    assert mallory.reads()["custom_attributes"]["middag_organization"] == "Bare Ltda"

    run(panel)

    assert not knows_of_a_customer(mallory.reads())
    own = panel.chat.contacts[seats(panel, 43)[COMPANY].contact]
    assert own["id"] != mallory.reads()["id"]
    assert own["identifier"] == seats(panel, 43)[COMPANY].identifier


def test_who_shows_the_email_keeps_the_seat_although_visitors_came_in(
    panel: Panel, worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    """An earlier version's contact with a key of its own: nobody is made anew, or cleared."""
    as_earlier_version(panel)
    Visitor(worlds.chat_url).types(email="ana@acme.example")
    before = {key: seat.contact for key, seat in seats(panel, 42).items()}
    run(panel)
    assert {key: seat.contact for key, seat in seats(panel, 42).items()} == before
    assert "by an identifier alone" not in caplog.text


def test_a_contact_of_an_earlier_version_whose_email_an_agent_corrected_keeps_its_seat(
    panel: Panel,
) -> None:
    as_earlier_version(panel)
    ana = row(panel, email="ana@acme.example")
    ana["email"] = "ana.souza@acme.example"
    run(panel)
    assert seats(panel, 42)["collaborator:1"].contact == ana["id"]


def test_a_contact_without_a_key_gives_way_to_the_one_that_has_it(panel: Panel) -> None:
    """Earlier versions left a phone out that another contact had: an identifier alone was left."""
    as_earlier_version(panel)
    bare = row(panel, email="contato@acme.example")
    bare["email"] = None
    run(panel)
    assert seats(panel, 42)[COMPANY].contact == row(panel, email="contato@acme.example")["id"]
    assert bare["custom_attributes"] == {}
    assert bare["identifier"] is None


def test_by_phone_a_contact_that_shows_another_email_is_somebody_else(panel: Panel) -> None:
    company(panel.office, 42, "Acme Ltda", "contato@acme.example", phone="+55 61 99999-0042")
    other = panel.chat.add_contact(email="s@x.example", phone_number="+5561999990042")
    run(panel)
    assert seats(panel, 42)[COMPANY].contact != other["id"]
    assert other["custom_attributes"] == {}


@pytest.mark.parametrize("said", [{}, {"name": "Ana"}, {"identifier": "middag:user:7"}])
def test_a_strangers_contact_without_an_email_stays_a_stranger(
    panel: Panel, worlds: Worlds, said: dict[str, str]
) -> None:
    visitor = Visitor(worlds.chat_url)
    visitor.says(**said)
    before = visitor.reads()
    run(panel)
    assert visitor.reads() == before


def test_a_squatted_identifier_is_reported_once_and_drift_is_clean(
    panel: Panel, worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    as_earlier_version(panel)
    row(panel, email="ana@acme.example")["identifier"] = None
    mallory = squat(worlds, "middag:user:7")
    number = mallory.reads()["id"]
    panel.chat.forget()

    run(panel)
    asked = [call for call in panel.chat.calls if _asks_for(call, "middag:")]
    run(panel)

    assert [_asks_for(call, "middag:user:7") for call in asked] == [True]
    said = [each for each in caplog.messages if f"contact {number} " in each]
    assert len(said) == 1
    assert "middag:user" not in caplog.text
    assert [call for call in panel.chat.writes if call.path.endswith(f"contacts/{number}")] == []
    drift = command(panel, "sync", "drift", "42", "43")
    assert (drift.exit_code, drift.stdout.strip()) == (0, "Everything is in line.")


def _asks_for(call: Any, value: str) -> bool:
    return call.path.endswith("/contacts/filter") and value in str(call.body)


def test_drift_is_clean_where_another_contact_owns_a_value(panel: Panel) -> None:
    panel.chat.add_contact(name="Somebody", email="s@x.example", phone_number="+5561999990042")
    panel.chat.add_contact(name="Acme", email="contato@acme.example")
    run(panel)
    panel.chat.forget()
    run(panel)
    assert panel.chat.writes == []
    assert command(panel, "sync", "drift", "42", "43").exit_code == 0


# -- one key -------------------------------------------------------------------------------------


def test_a_contact_has_one_key(panel: Panel) -> None:
    company(panel.office, 44, "Fone Ltda", phone="+55 61 99999-0044")
    for _ in range(2):
        run(panel, 42, 43, 44)
    keys = ("email", "phone_number", "identifier")
    for each in panel.chat.contacts.values():
        assert sum(bool(each[key]) for key in keys) == 1, each
    assert row(panel, email="contato@acme.example")["phone_number"] is None
    assert row(panel, name="Fone Ltda")["phone_number"] == "+5561999990044"


@pytest.mark.parametrize("typed", [{"email": "contato@acme.example"}])
def test_who_types_a_customers_email_is_not_told_the_phone(
    panel: Panel, worlds: Worlds, typed: dict[str, str]
) -> None:
    run(panel)
    visitor = Visitor(worlds.chat_url)
    visitor.types(**typed)
    run(panel)
    told = visitor.reads()
    assert (told["phone_number"], told["identifier"]) == (None, None)
    assert set(told["custom_attributes"]) <= set(OUR_ATTRIBUTES)


def test_a_key_that_is_taken_meanwhile_leads_to_its_owner(panel: Panel) -> None:
    """Somebody makes the contact between our look and our call: it is looked up once, and taken."""
    asked: list[str] = []

    def race(call: Any) -> None:
        if call.path.endswith("/contacts") and call.body.get("email") == "ana@acme.example":
            panel.chat.add_contact(77, name="Ana", email="ana@acme.example")
        if call.path.endswith("/contacts/filter"):
            asked.extend(each["values"][0] for each in call.body["payload"])

    panel.chat.failures = race
    run(panel, 42)
    panel.chat.failures = never
    assert seats(panel, 42)["collaborator:1"].contact == 77
    assert asked.count("ana@acme.example") == 2


def test_a_key_that_is_taken_by_nobody_is_reported_and_the_others_go_through(
    panel: Panel,
) -> None:
    def race(call: Any) -> None:
        hidden = panel.chat.contacts.pop(77, None)
        if (
            hidden is None
            and call.path.endswith("/contacts")
            and call.body.get("email", "")[:3] == "ana"
        ):
            panel.chat.add_contact(77, name="Ana", email="ana@acme.example")

    panel.chat.failures = race
    with pytest.raises(GiveUp, match="collaborator:1: email"):
        run(panel, 42)
    panel.chat.failures = never
    assert row(panel, email="bia@acme.example")["custom_attributes"]["middag_role"] == "member"


# -- our table is lost ---------------------------------------------------------------------------


def lose_the_table(panel: Panel) -> None:
    directory = get(Services, panel.app).directory
    for organization in (42, 43):
        directory.forget(organization)


def test_a_lost_table_finds_people_again_by_email_and_makes_nobody_twice(panel: Panel) -> None:
    run(panel)
    before = set(panel.chat.contacts)
    lose_the_table(panel)
    run(panel, 42)
    assert set(panel.chat.contacts) == before
    assert command(panel, "sync", "drift", "42").exit_code == 0


def test_a_lost_company_contact_is_told_once_to_the_administrator_and_not_made_twice(
    panel: Panel,
) -> None:
    run(panel)
    number = row(panel, name="Bare Ltda")["id"]
    lose_the_table(panel)
    panel.chat.forget()

    with pytest.raises(GiveUp) as told:
        run(panel, 43)
    run(panel, 43)

    assert f"contact {number} " in told.value.detail
    assert "Bare" not in told.value.detail
    assert "Delete it in Chatwoot" in told.value.detail
    assert panel.chat.writes == []
    drift = command(panel, "sync", "drift", "43")
    assert drift.exit_code == 1
    assert f"contact {number} " in drift.stdout


def test_a_lost_company_contact_that_is_deleted_is_made_anew(panel: Panel) -> None:
    run(panel)
    number = row(panel, name="Bare Ltda")["id"]
    lose_the_table(panel)
    with pytest.raises(GiveUp):
        run(panel, 43)
    del panel.chat.contacts[number]
    run(panel, 43)
    assert row(panel, name="Bare Ltda")["identifier"] == seats(panel, 43)[COMPANY].identifier


def test_a_visitor_who_writes_a_companys_attributes_is_not_taken_for_it(
    panel: Panel, worlds: Worlds
) -> None:
    """Such a claim is told as a lost contact would be: it is neither believed nor written to."""
    mallory = Visitor(worlds.chat_url)
    claim = {"middag_organization_id": "43", "middag_role": "organization"}
    mallory.types(email="mallory@evil.example", custom_attributes=claim)
    with pytest.raises(GiveUp, match=f"contact {mallory.reads()['id']} "):
        run(panel, 43)
    assert mallory.reads()["custom_attributes"] == claim
    assert seats(panel, 43)[COMPANY].contact == 0


def test_our_own_identifier_seats_nobody_after_a_merge(panel: Panel) -> None:
    """It is removed where it went, and nobody is made twice while that contact is there."""
    run(panel)
    number = row(panel, name="Bare Ltda")["id"]
    base = panel.chat.add_contact(name="Bare, by an agent")["id"]
    panel.chat.contacts[base]["identifier"] = panel.chat.contacts.pop(number)["identifier"]
    before = set(panel.chat.contacts)
    for _ in range(2):
        run(panel, 43)
    assert panel.chat.contacts[base]["identifier"] is None
    assert set(panel.chat.contacts) == before
    assert (seats(panel, 43)[COMPANY].contact, seats(panel, 43)[COMPANY].merged_into) == (0, base)


# -- picks ---------------------------------------------------------------------------------------


def pick(panel: Panel, disclosed: bool) -> Visitor:
    """A stranger's contact and conversation, for which an agent picked Acme."""
    visitor = Visitor(panel.settings.chatwoot_url)
    talk = visitor.starts()
    number = talk["contact"]["id"]
    links = get(Services, panel.app).links
    told = {"state": PICKED, "agent": 2, "contact": number, "disclosed": disclosed}
    links.put(Link(CONTACT, number, 42, **told), Link(CONVERSATION, talk["id"], 42, **told))
    return visitor


def write_as_earlier_version(panel: Panel, visitor: Visitor) -> None:
    named = {"middag_organization_id": "42", "middag_organization": "Acme Ltda"}
    number = visitor.reads()["id"]
    panel.chat.contacts[number]["custom_attributes"] = {"vip": "yes", **named}
    for talk in panel.chat.conversations.values():
        talk["custom_attributes"] = {"topic": "billing", **named}


def told_to(panel: Panel, visitor: Visitor) -> list[Json]:
    talks = [talk["custom_attributes"] for talk in panel.chat.conversations.values()]
    return [visitor.reads()["custom_attributes"], *talks]


def test_a_pick_that_is_not_disclosed_is_not_written_by_a_pass(panel: Panel) -> None:
    visitor = pick(panel, disclosed=False)
    number = visitor.reads()["id"]
    person(panel.office, 43, 9, "own@bare.example", "owner", None)
    panel.chat.contacts[number]["email"] = "own@bare.example"
    run(panel)
    assert visitor.reads()["custom_attributes"]["middag_organization_id"] == "43"
    assert "middag_organization_id" not in told_to(panel, visitor)[1]


def test_what_an_earlier_version_wrote_for_an_undisclosed_pick_is_taken_back_once(
    panel: Panel,
) -> None:
    visitor = pick(panel, disclosed=False)
    write_as_earlier_version(panel, visitor)
    run(panel, 42)
    assert told_to(panel, visitor) == [{"vip": "yes"}, {"topic": "billing"}]
    panel.chat.forget()
    run(panel, 42)
    talk = next(iter(panel.chat.conversations))
    assert panel.chat.writes == []
    assert panel.chat.count(f"/conversations/{talk}") == 0


def test_what_a_pass_writes_for_a_matched_contact_stays_beside_an_undisclosed_pick(
    panel: Panel,
) -> None:
    """The visitor is who the pick says, by their e-mail: it is written for that."""
    visitor = pick(panel, disclosed=False)
    write_as_earlier_version(panel, visitor)
    panel.chat.contacts[visitor.reads()["id"]]["email"] = "ana@acme.example"
    run(panel, 42)
    contact, talk = told_to(panel, visitor)
    assert (contact["middag_role"], talk["middag_organization_id"]) == ("owner", "42")


def test_another_organization_in_the_conversation_is_not_taken_back(panel: Panel) -> None:
    visitor = pick(panel, disclosed=False)
    (talk,) = panel.chat.conversations.values()
    talk["custom_attributes"] = {"middag_organization_id": "43"}
    run(panel, 42)
    assert told_to(panel, visitor)[1] == {"middag_organization_id": "43"}


def test_a_disclosed_pick_stays_as_it_was_written(panel: Panel) -> None:
    visitor = pick(panel, disclosed=True)
    write_as_earlier_version(panel, visitor)
    before = told_to(panel, visitor)
    run(panel, 42)
    assert told_to(panel, visitor) == before


def test_a_pick_of_a_conversation_that_is_gone_stops_no_pass(panel: Panel) -> None:
    visitor = pick(panel, disclosed=False)
    panel.chat.conversations.clear()
    del panel.chat.contacts[visitor.reads()["id"]]
    run(panel, 42)
    run(panel, 42)
