"""A pick that is not disclosed: a pass writes nothing about it, and takes back an older write."""

from panel.data.links import CONTACT, CONVERSATION, PICKED, Link
from panel.demo.world import Json
from panel.services import Services, get
from tests.conftest import Panel
from tests.sync.passes import person
from tests.sync.visited import panel, run, worlds
from tests.visitor import Visitor

__all__ = ["panel", "worlds"]  # fixtures


def pick(panel: Panel, disclosed: bool) -> Visitor:
    """Make a stranger's contact and conversation, for which an agent picked Acme."""
    visitor = Visitor(panel.settings.chatwoot_url)
    talk = visitor.starts()
    number = talk["contact"]["id"]
    links = get(Services, panel.app).links
    fields = {"state": PICKED, "agent": 2, "contact": number, "disclosed": disclosed}
    links.put(Link(CONTACT, number, 42, **fields), Link(CONVERSATION, talk["id"], 42, **fields))
    return visitor


def write_as_earlier_version(panel: Panel, visitor: Visitor) -> None:
    attributes = {"middag_organization_id": "42", "middag_organization": "Acme Ltda"}
    number = visitor.reads()["id"]
    panel.chat.contacts[number]["custom_attributes"] = {"vip": "yes", **attributes}
    for talk in panel.chat.conversations.values():
        talk["custom_attributes"] = {"topic": "billing", **attributes}


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
    """The visitor's e-mail matches the picked company, so the pass writes its name for the
    match."""
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
