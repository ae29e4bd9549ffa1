"""A pass after a hook reads only the contacts of people whose values have changed."""

from sqlalchemy import update

from panel.data.directory import Directory, Person
from panel.data.sightings import sightings
from panel.demo.chatwoot import never
from panel.demo.world import Call
from tests.sync.nights import bring, contact_of, promote, sockets, wing
from tests.sync.passes import person
from tests.sync.wings import Wing, ring

__all__ = ["sockets", "wing"]  # fixtures


def pass_after(wing: Wing, organization: int, kind: str = "entitlement.renewed") -> int:
    """Count the calls to Chatwoot of a pass after a hook of this kind."""
    wing.engine.intake.accept(ring(organization, kind))
    wing.chat.forget()
    wing.run(organization)
    return len(wing.chat.calls)


def test_a_pass_after_a_hook_without_news_reads_no_contact(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    assert pass_after(wing, number) == 0


def test_a_pass_touches_once_more_what_its_hook_touched(wing: Wing) -> None:
    """The plugin may send a hook before its new data is visible."""
    (number,) = bring(wing, 1)
    wing.engine.intake.accept(ring(number))
    wing.versions(number)
    wing.run(number)
    wing.office.forget()
    wing.versions(number)
    assert wing.office.calls != []
    wing.office.forget()
    wing.versions(number)
    assert wing.office.calls == []


def test_a_pass_after_a_hook_reads_those_alone_of_whom_something_has_changed(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    email = promote(wing, number)
    assert pass_after(wing, number, "collaborator.updated") == 4
    changed = contact_of(wing, email)["id"]
    assert [call.path.rpartition("/")[2] for call in wing.chat.writes] == [str(changed)]
    assert wing.attributes(email)["middag_role"] == "owner"


def test_a_pass_notes_what_it_wrote_although_our_tables_say_more_by_now(wing: Wing) -> None:
    """Another organization's pass seats the person meanwhile, and is killed before it writes the
    contact: the next pass has to write it."""
    first, second = bring(wing, 2)
    email = promote(wing, second)
    contact = int(contact_of(wing, email)["id"])
    person(wing.office, first, 7, email, "member", 7)
    seat = Person(first, "collaborator:7", contact, "member", email)

    def seat_meanwhile(call: Call) -> None:
        if call.path.endswith(f"/contacts/{contact}/conversations"):
            Directory(wing.services.database).put_person(seat)

    wing.chat.failures = seat_meanwhile
    pass_after(wing, second, "collaborator.updated")
    wing.chat.failures = never
    pass_after(wing, first, "collaborator.added")
    assert wing.attributes(email)["middag_organization_id"] == f"{first},{second}"


def test_what_was_not_seen_within_the_day_is_read_again(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    with wing.services.database.begin() as connection:
        connection.execute(update(sightings).values(seen_at=sightings.c.seen_at - 27 * 3600))
    contact_of(wing, f"office@{number}.example")["custom_attributes"]["middag_plan"] = "Gold"
    assert pass_after(wing, number) > 0
    assert "middag_plan" not in wing.attributes(f"office@{number}.example")
    with wing.services.database.begin() as connection:
        connection.execute(update(sightings).values(seen_at=sightings.c.seen_at - 27 * 3600))
    wing.passes.run_nightly()
    assert pass_after(wing, number) == 0


def test_a_pass_that_chatwoot_asked_for_looks_for_everybody(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    assert pass_after(wing, number, "chatwoot.contact_created") > 0


def test_who_leaves_is_cleared_although_nobody_else_is_read(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    wing.office.remove("collaborators", number, number * 10)
    pass_after(wing, number, "collaborator.removed")
    assert wing.attributes(f"person{number * 10}@{number}.example") == {}
    assert {call.path.rpartition("/")[2] for call in wing.chat.writes} == {
        "destroy_custom_attributes"
    }
