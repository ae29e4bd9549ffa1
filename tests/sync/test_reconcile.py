"""A pass, against the built-in worlds on real sockets, and Chatwoot's data afterwards."""

import pytest

from panel.data.links import CONTACT, PICKED, Link
from panel.demo.chatwoot import Failure
from panel.errors import GiveUp, PanelError, TryLater, Unauthorized
from panel.sync.contact_errors import FAILURES_IN_A_ROW
from tests.sync.passes import SOON, Bench, bench, company, entitlement, person

__all__ = ["bench"]  # a fixture


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


# -- contacts --------------------------------------------------------------------------------------


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
    """Attributes follow the seat: each contact costs two writes, and a single search serves all."""
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
    target = bench.chat.add_contact(name="Ana", email="ana@acme.example")
    target["phone_number"] = "no phone"

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
    ana = next(
        contact
        for contact in bench.chat.contacts.values()
        if contact["email"] == "ana@acme.example"
    )
    bench.links.put(Link(CONTACT, ana["id"], 45, PICKED, agent=2, disclosed=True))
    bench.run()
    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42,45"
    assert bench.told(email="ana@acme.example")["middag_role"] == "guest"


# -- Chatwoot in trouble ---------------------------------------------------------------------------


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


# -- values that Chatwoot cannot show
# --------------------------------------------------------------------


def test_twenty_conversations_that_end_in_a_long_mail_are_all_named(bench: Bench) -> None:
    bench.run()
    ana = bench.contact(email="ana@acme.example")["id"]
    html = "<p>Good morning, our courses are gone.</p>" * 440
    for _ in range(20):
        number = bench.chat.add_conversation(ana)["id"]
        bench.chat.add_mail(number, "Good morning", html)
    bench.run()
    rows = [row for row in bench.chat.conversations.values() if row["contact_id"] == ana]
    assert {row["custom_attributes"]["middag_organization_id"] for row in rows} == {"42"}
    assert len(rows) == 20


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
        target = f"/contacts/{ana}/conversations"
        bench.chat.failures = lambda call: Failure(500) if call.path.endswith(target) else None
    with pytest.raises(PanelError) as error:
        bench.run()
    assert error.value.code == code
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
    """Since 4.16 Chatwoot answers a slow write with 422, without naming an attribute."""
    bench.run()
    bench.chat.failures = lambda call: Failure(422) if call.method == "PUT" else None
    bench.office.organizations[42]["name"] = "Acme S.A."
    with pytest.raises(TryLater):
        bench.run()


def test_a_new_contact_is_not_read_again(bench: Bench) -> None:
    bench.run()
    paths = [call.path for call in bench.chat.calls if call.method == "GET"]
    assert [path for path in paths if path.rpartition("/")[2].isdigit()] == []
