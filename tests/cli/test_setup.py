"""`setup` against the built-in Chatwoot: rows that it makes, corrects, leaves alone or removes."""

from pathlib import Path

import pytest

from panel.auth.tokens import make_launch_url
from panel.cli.definitions import DEFINITIONS, EVENTS, MODELS, TYPES
from panel.data.directory import Person
from panel.sync.people import OUR_ATTRIBUTES
from tests.cli.setups import (
    FOREIGN_APP,
    FOREIGN_HOOK,
    HOOK_URL,
    PANEL_URL,
    definition,
    panel,
    setup,
    standing,
    told,
    webhook,
)
from tests.conftest import MakePanel, Panel

__all__ = ["panel"]  # a fixture


def test_it_makes_every_definition_of_the_design(panel: Panel) -> None:
    assert setup(panel).exit_code == 0
    rows = panel.chat.definitions.values()
    created_rows = {(row["attribute_model"], row["attribute_key"]): row for row in rows}
    for expected in DEFINITIONS:
        row = created_rows[MODELS[expected.model], expected.key]
        assert row["attribute_display_type"] == TYPES[expected.type]
        assert row["attribute_values"] == list(expected.values)
    assert len(created_rows) == len(DEFINITIONS) + 1


def test_every_attribute_that_a_pass_writes_has_its_definition() -> None:
    of_contacts = {row.key for row in DEFINITIONS if MODELS[row.model] == "contact_attribute"}
    assert of_contacts == set(OUR_ATTRIBUTES)


def test_it_registers_the_launch_address_and_the_webhook(panel: Panel) -> None:
    setup(panel)
    (app,) = [row for row in panel.chat.dashboard_apps.values() if row["title"] == "MIDDAG"]
    url = make_launch_url(panel.settings, PANEL_URL)
    assert app["content"] == [{"type": "frame", "url": url}]
    assert sorted(webhook(panel.chat)["subscriptions"]) == sorted(EVENTS)


def test_a_second_run_finds_nothing_to_do(panel: Panel) -> None:
    setup(panel)
    panel.chat.forget()
    again = setup(panel)
    assert (again.exit_code, panel.chat.writes) == (0, [])
    assert again.stdout.startswith("Nothing to do in Chatwoot.")


def test_the_webhooks_secret_is_printed_when_it_is_made_and_to_whoever_asks(panel: Panel) -> None:
    first = setup(panel).stdout
    line = f"CHATWOOT_WEBHOOK_SECRET={webhook(panel.chat)['secret']}\n"
    assert first.count(line) == 1
    for again in (setup(panel), setup(panel, "--dry-run")):
        assert webhook(panel.chat)["secret"] not in again.output
        assert "setup --show-secret" in again.stdout
    assert told(panel)["webhook_secret"] == ""
    panel.chat.forget()
    assert line in setup(panel, "--dry-run", "--show-secret").stdout
    assert told(panel, "--show-secret")["webhook_secret"] == webhook(panel.chat)["secret"]
    assert panel.chat.writes == []


def test_a_dry_run_prints_the_plan_and_writes_nothing(panel: Panel) -> None:
    before = standing(panel.chat)
    plan = setup(panel, "--dry-run")
    assert plan.exit_code == 1  # setup would have work to do
    assert plan.stdout.count("would create") == len(DEFINITIONS) + 2
    assert (panel.chat.writes, standing(panel.chat)) == ([], before)


def test_the_plan_is_what_is_then_done(panel: Panel) -> None:
    assert told(panel, "--dry-run")["steps"] == told(panel)["steps"]


def test_what_somebody_changed_is_corrected(panel: Panel) -> None:
    setup(panel)
    secret, chat = webhook(panel.chat)["secret"], panel.chat
    webhook(chat)["subscriptions"] = ["message_created"]
    definition(chat, "middag_billing_entity")["attribute_values"] = ["middag_br"]
    definition(chat, "middag_plan")["attribute_display_type"] = "number"
    assert [step.partition(" ")[0] for step in told(panel)["steps"]] == ["correct"] * 3
    assert sorted(webhook(chat)["subscriptions"]) == sorted(EVENTS)
    assert definition(chat, "middag_plan")["attribute_display_type"] == "text"
    assert webhook(chat)["secret"] == secret


def test_what_an_administrator_added_to_ours_stays(panel: Panel) -> None:
    setup(panel)
    chat, values = panel.chat, ["middag_eu", "middag_br"]
    entity, app = (
        definition(chat, "middag_billing_entity"),
        chat.dashboard_apps[max(chat.dashboard_apps)],
    )
    entity.update(attribute_values=values, attribute_display_name="Faturado por")
    app.update(title="Customer", content=[{"type": "frame", "url": f"{PANEL_URL}/#k=old"}])
    webhook(chat).update(name="Panel", subscriptions=["message_updated", "contact_created"])
    setup(panel)
    assert entity["attribute_values"] == ["middag_eu", "middag_br", "middag_global"]
    assert entity["attribute_display_name"] == "Faturado por"
    assert app["title"] == "Customer"
    assert app["content"][0]["url"] == make_launch_url(panel.settings, PANEL_URL)
    assert webhook(chat)["name"] == "Panel"
    assert set(webhook(chat)["subscriptions"]) == {"message_updated", *EVENTS}
    assert told(panel)["steps"] == []


def test_values_that_were_only_added_need_no_step(panel: Panel) -> None:
    setup(panel)
    definition(panel.chat, "middag_billing_entity")["attribute_values"].append("middag_eu")
    webhook(panel.chat)["subscriptions"].append("message_updated")
    assert told(panel, "--dry-run")["steps"] == []


def test_a_webhook_of_an_earlier_version_hears_of_changed_conversations_too(panel: Panel) -> None:
    setup(panel)
    added = {"conversation_updated", "conversation_status_changed"}
    webhook(panel.chat)["subscriptions"] = [event for event in EVENTS if event not in added]
    assert told(panel)["steps"] == [f"correct webhook to {HOOK_URL}"]
    assert added <= set(webhook(panel.chat)["subscriptions"])


def test_a_new_launch_key_corrects_the_app_instead_of_adding_one(
    make: MakePanel, panel: Panel
) -> None:
    setup(panel)
    other = make(
        PANEL_URL=PANEL_URL, CHATWOOT_CONTACT_VIEW_SECRET="another-secret-of-24-characters"
    )
    setup(other)
    (app,) = [row for row in panel.chat.dashboard_apps.values() if row["title"] == "MIDDAG"]
    assert app["content"][0]["url"] == make_launch_url(other.settings, PANEL_URL)


def test_what_is_not_ours_is_never_touched(panel: Panel) -> None:
    for options in ([], ["--remove"]):
        setup(panel, *options)
        assert panel.chat.dashboard_apps[1] == FOREIGN_APP
        assert panel.chat.webhooks[2] == FOREIGN_HOOK
        assert panel.chat.definitions[3]["attribute_key"] == "vip"


def test_removing_undoes_what_was_made(panel: Panel) -> None:
    before = standing(panel.chat)
    setup(panel)
    assert setup(panel, "--remove").exit_code == 0
    assert standing(panel.chat) == before


def test_removing_can_be_rehearsed_and_repeated(panel: Panel) -> None:
    setup(panel)
    before = standing(panel.chat)
    rehearsed = told(panel, "--remove", "--dry-run")["steps"]
    assert standing(panel.chat) == before
    assert setup(panel, "--remove", "--dry-run").exit_code == 1
    assert told(panel, "--remove")["steps"] == rehearsed
    assert told(panel, "--remove")["steps"] == []


@pytest.mark.parametrize("options", [["--remove"], ["--remove", "--dry-run"]])
def test_removing_a_second_time_says_that_nothing_is_left(panel: Panel, options: list[str]) -> None:
    setup(panel)
    setup(panel, "--remove")
    again = setup(panel, *options)
    assert (again.exit_code, again.stdout) == (0, "Nothing is left of ours in Chatwoot.\n")


def test_an_agents_token_does_not_say_that_nothing_is_left(make: MakePanel, panel: Panel) -> None:
    setup(panel)
    by_agent = make(PANEL_URL=PANEL_URL, CHATWOOT_API_TOKEN="demo-agent-token")
    panel.chat.definitions, panel.chat.dashboard_apps = {}, {}
    answer = setup(by_agent, "--remove")
    assert answer.exit_code == 1
    assert "left" not in answer.stdout
    assert "What stands of ours is not known: webhooks." in answer.stdout


def test_removing_leaves_the_contacts_values(panel: Panel) -> None:
    contact = next(iter(panel.chat.contacts.values()))
    contact["custom_attributes"] = {"middag_plan": "Gold"}
    setup(panel)
    setup(panel, "--remove")
    assert contact["custom_attributes"] == {"middag_plan": "Gold"}


# -- the exposure to visitors ---------------------------------------------------------------


def seat(panel: Panel, contact: int, identifier: str) -> None:
    """Write a person of organization 42 as an earlier version did."""
    panel.services.directory.put_person(
        Person(42, f"collaborator:{contact}", contact, "owner", identifier=identifier)
    )
    panel.chat.contacts[contact]["identifier"] = identifier


def test_it_names_the_inboxes_where_identity_validation_is_not_enforced(panel: Panel) -> None:
    panel.chat.add_inbox(8, "Signed site", "Channel::WebWidget", {1})
    panel.chat.channels[8]["hmac_mandatory"] = True
    answer = setup(panel)
    assert "Inbox Site: identity validation is not enforced" in answer.stdout
    assert told(panel)["exposure"]["open_inboxes"] == ["Site"]
    assert "WhatsApp" not in answer.stdout


def test_an_inbox_of_which_chatwoot_says_nothing_is_named_too(panel: Panel) -> None:
    """An older Chatwoot, or an agent's token, tells nothing: then identities do not count as
    enforced."""
    row = panel.chat.channels.pop(1)
    assert told(panel)["exposure"]["open_inboxes"][0] == "Site"
    panel.chat.channels[1] = row


def test_it_says_how_many_guessable_identifiers_are_left(panel: Panel) -> None:
    seat(panel, 301, "middag:user:7")
    assert told(panel)["exposure"] | {"open_inboxes": []} == {
        "open_inboxes": [],
        "identifiers": 1,
        "waiting": 1,
    }
    stdout = setup(panel).stdout
    assert "Identifiers that can be guessed: 1 in Chatwoot" in stdout
    assert "sync reconcile" in stdout


def test_it_removes_guessable_identifiers_that_no_pass_comes_to(panel: Panel) -> None:
    first, second = panel.chat.contacts[302], panel.chat.contacts[303]
    first["identifier"], second["identifier"] = "middag:user:9", "shop:middag:1"
    report = told(panel)
    assert "remove guessable identifier of contact 302" in report["steps"]
    # The shop's own identifier, which only looks like ours.
    assert report["exposure"]["identifiers"] == 1
    assert (first["identifier"], second["identifier"]) == (None, "shop:middag:1")
    second["identifier"] = None


def test_a_contact_that_chatwoot_refuses_to_change_is_left_to_be_done_by_hand(
    panel: Panel,
) -> None:
    broken = panel.chat.contacts[302]
    broken.update(identifier="middag:user:9", phone_number="no phone")
    (line,) = told(panel)["by_hand"]
    assert "contact 302" in line
    broken.update(identifier=None, phone_number=None)


def test_what_is_exposed_is_said_without_a_database_too(make: MakePanel, tmp_path: Path) -> None:
    panel = make(PANEL_URL=PANEL_URL)
    panel.services.database.dispose()
    (tmp_path / "panel.db").unlink()
    exposure = told(panel)["exposure"]
    assert (exposure["open_inboxes"][0], exposure["waiting"]) == ("Site", None)
