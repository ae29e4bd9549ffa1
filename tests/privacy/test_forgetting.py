"""`forget` and `export`: nothing of the person or the organization is left, and no pass or restored
backup brings them back."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from panel.cache.policy import CacheControl
from panel.customer.acquaintance import learn_organization
from panel.data import audit_log
from panel.data.audit_log import AuditEntry
from panel.data.links import CONTACT, CONVERSATION, PICKED, Link
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.upstream.chatwoot import ID_ATTRIBUTE
from panel.upstream.documents import COLLABORATORS, ORDERS, ORGANIZATION, Document
from panel.upstream.record_documents import ORDER
from tests.cli.running import COULD_NOT, FINE, FOUND, make, panel, read, run, work, worlds
from tests.conftest import Panel, Worlds
from tests.sync.executor import hook
from tests.sync.passes import person

__all__ = ["make", "panel", "worlds"]  # fixtures

ANA, BIA = "ana@acme.example", "bia@acme.example"
PHONE = "+5561999990077"


def learn(panel: Panel) -> None:
    """Run passes of both organizations."""
    for number in (42, 45):
        get(Jobs, panel.app).bring_in_line(number)


def contact_of(worlds: Worlds, email: str) -> int:
    (number,) = [number for number, row in worlds.chat.contacts.items() if row["email"] == email]
    return int(number)


def ours(worlds: Worlds, contact: int) -> dict[str, Any]:
    attributes = worlds.chat.contacts[contact]["custom_attributes"]
    return {key: value for key, value in attributes.items() if key.startswith("middag")}


def stored(folder: Path, text: str) -> list[str]:
    """Return the files of the database and the cache whose bytes contain this text, also in free
    pages."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def find(panel: Panel, query: str) -> list[int]:
    """Return the organizations that a search finds."""
    hits = panel.services.search_index.find(query)
    return [row.organization for row in hits.rows]


def say(panel: Panel, contact: int) -> None:
    """Pick an organization for this contact and its conversation as an agent, and give a reason."""
    row: Any = {"agent": 1, "at": 1.0, "contact": contact, "email": ANA, "phone": PHONE}
    panel.services.links.put(
        Link(CONTACT, contact, 45, PICKED, **row), Link(CONVERSATION, 700, 45, PICKED, **row)
    )
    reason = f"orders: {ANA} asked on the phone"
    panel.services.audit_log.record(AuditEntry(audit_log.UNCOVERED, 1, 700, 45, note=reason))


# -- a person ------------------------------------------------------------------------------------


def test_nothing_of_a_person_is_left(panel: Panel, worlds: Worlds, tmp_path: Path) -> None:
    learn(panel)
    contact = contact_of(worlds, ANA)
    say(panel, contact)
    panel.services.back_office.read(COLLABORATORS, 42, CacheControl.FRESH)
    panel.services.chatwoot.agents()
    assert ours(worlds, contact)[ID_ATTRIBUTE] == "42,45"
    assert stored(tmp_path, ANA)
    answer = run(panel, f"forget --person {ANA}")
    assert answer.exit_code == FOUND, "MIDDAG Account lists them still"
    assert "removed    people: 2" in answer.output
    assert "emptied    access_log: 1" in answer.output
    assert stored(tmp_path, ANA) == []
    assert stored(tmp_path, PHONE) == []
    assert ours(worlds, contact) == {}
    assert "MIDDAG Account still has them (organization 42)" in answer.output
    assert f"contacts {contact}: delete them there" in answer.output


def test_others_stay(panel: Panel, worlds: Worlds) -> None:
    learn(panel)
    run(panel, f"forget --person {ANA}")
    assert ours(worlds, contact_of(worlds, BIA))[ID_ATTRIBUTE] == "42"
    people = panel.services.directory.people_of(42)
    assert sorted(people) == ["collaborator:2", "collaborator:3", "organization"]


def test_the_access_log_keeps_its_ids(panel: Panel, worlds: Worlds) -> None:
    learn(panel)
    say(panel, contact_of(worlds, ANA))
    run(panel, f"forget --person {ANA}")
    (entry,) = panel.services.audit_log.list_entries()
    assert (entry.conversation, entry.organization, entry.note) == (700, 45, "")


def test_a_contact_number_will_do_and_case_is_nothing(panel: Panel, worlds: Worlds) -> None:
    learn(panel)
    assert "people: 2" in run(panel, f"forget --person {contact_of(worlds, ANA)}").output
    assert "people: 1" in run(panel, f"forget --person {BIA.upper()}").output


def test_no_pass_brings_them_back_until_it_is_allowed(panel: Panel, worlds: Worlds) -> None:
    learn(panel)
    contact = contact_of(worlds, ANA)
    run(panel, f"forget --person {ANA}")
    learn(panel)
    assert "collaborator:1" not in panel.services.directory.people_of(42)
    assert not find(panel, ANA)
    assert ours(worlds, contact) == {}
    assert run(panel, f"forget --person {ANA} --allow").exit_code == FINE
    learn(panel)
    assert "collaborator:1" in panel.services.directory.people_of(42)
    assert ours(worlds, contact)[ID_ATTRIBUTE] == "42,45"
    assert run(panel, f"forget --person {ANA} --allow").exit_code == FOUND, "nothing is left"


def test_a_new_address_of_a_former_one_is_forgotten_too(panel: Panel, worlds: Worlds) -> None:
    """The place in the directory counts: the plugin may correct the e-mail of a forgotten
    person."""
    learn(panel)
    run(panel, f"forget --person {ANA}")
    person(worlds.office, 42, 1, "ana.new@acme.example", "owner", 7)
    learn(panel)
    assert "collaborator:1" not in panel.services.directory.people_of(42)


def test_who_is_unknown_gets_a_tombstone_all_the_same(panel: Panel) -> None:
    learn(panel)
    answer = run(panel, "forget --person nobody@elsewhere.example")
    assert answer.exit_code == FINE
    assert "our tables held nothing of them" in answer.output
    assert panel.services.directory.forgotten.count() == 1


def test_a_silent_chatwoot_ends_it_with_words(panel: Panel, make: Any) -> None:
    learn(panel)
    answer = run(make(CHATWOOT_URL="http://127.0.0.1:1"), f"forget --person {ANA}")
    assert answer.exit_code == COULD_NOT
    assert "Traceback" not in answer.output
    assert "collaborator:1" in panel.services.directory.people_of(42)


def test_a_cache_that_is_away_is_told_and_nothing_of_it_is_called_removed(
    panel: Panel, make: Any
) -> None:
    learn(panel)
    answer = run(make(PANEL_CACHE_URL="redis://127.0.0.1:1/0"), "forget --organization 42")
    assert answer.exit_code == FOUND
    assert "removed    kept answers" not in answer.output
    assert "The cache could not be asked" in answer.output


def test_a_dry_run_changes_nothing(panel: Panel, tmp_path: Path) -> None:
    learn(panel)
    assert read(panel, f"forget --person {ANA} --dry-run")["people"] == 2
    assert "collaborator:1" in panel.services.directory.people_of(42)
    assert panel.services.directory.forgotten.count() == 0


def test_what_is_no_person_is_refused(panel: Panel) -> None:
    odd = [f"forget --person {key}" for key in ("ana", "@", "ana@", "@acme.example", "0")]
    for line in ("forget", *odd, f"forget --person {ANA} --organization 42"):
        answer = run(panel, line)
        assert answer.exit_code == COULD_NOT, line


# -- an organization -----------------------------------------------------------------------------


def test_nothing_of_an_organization_is_left(panel: Panel, worlds: Worlds, tmp_path: Path) -> None:
    learn(panel)
    bia = contact_of(worlds, BIA)
    panel.services.back_office.read(ORGANIZATION, 42, CacheControl.FRESH)
    answer = run(panel, "forget --organization 42")
    assert answer.exit_code == FOUND
    assert "MIDDAG Account still has them (organization 42)" in answer.output
    assert 42 not in panel.services.directory.list_organizations()
    assert stored(tmp_path, BIA) == []
    assert stored(tmp_path, "Acme") == []
    assert ours(worlds, bia) == {}
    assert ours(worlds, contact_of(worlds, ANA))[ID_ATTRIBUTE] == "45", "of the other one"


def test_no_pass_learns_of_a_forgotten_organization(panel: Panel) -> None:
    learn(panel)
    run(panel, "forget --organization 42")
    learn(panel)
    assert panel.services.directory.list_organizations() == [45]
    assert run(panel, "forget --organization 42 --allow").exit_code == FINE
    work(panel)
    assert panel.services.directory.list_organizations() == [42, 45]


def test_whoever_looks_at_it_meanwhile_brings_no_word_of_it_back(panel: Panel) -> None:
    """MIDDAG Account still has the company, so it can be opened; no search finds it by its
    words."""
    learn(panel)
    run(panel, "forget --organization 42")
    reading = panel.services.back_office.read(ORGANIZATION, 42, CacheControl.NO_CACHE)
    learn_organization(panel.services, reading)
    assert find(panel, "acme") == []
    run(panel, "forget --organization 42 --allow")
    learn_organization(panel.services, reading)
    assert find(panel, "acme") == [42]


def test_its_finished_passes_are_forgotten_by_the_engine(panel: Panel) -> None:
    run(panel, "sync backfill 42 45")
    work(panel)
    assert "removed    finished passes: 1" in run(panel, "forget --organization 42").output


def test_copies_of_a_deleted_organization_go_with_it(
    panel: Panel, worlds: Worlds, tmp_path: Path
) -> None:
    """The deletion is confirmed twice: by the hook, and by the back office's own 404."""
    learn(panel)
    order = {"id": 4201, "organization_id": 42, "number": "Zebra-4201", "status": "paid"}
    worlds.office.put("orders", 42, order)
    office = panel.services.back_office
    documents: tuple[Document[Any], ...] = (ORGANIZATION, ORDERS, ORDER.of(4201))
    for document in documents:
        office.read(document, 42, CacheControl.FRESH)
    assert len(stored(tmp_path / "cache", "4201")) >= 2, "the list and the record"
    get(Intake, panel.app).accept(hook("gone", 42, "organization.deleted"))
    worlds.office.remove("organization", 42, 42)
    get(Jobs, panel.app).bring_in_line(42)
    assert office.peek(ORGANIZATION, 42) is None
    assert stored(tmp_path / "cache", "4201") == []


# -- backups -------------------------------------------------------------------------------------


def test_a_restored_backup_obeys_the_tombstones(
    panel: Panel, make: Any, worlds: Worlds, tmp_path: Path
) -> None:
    learn(panel)
    say(panel, contact_of(worlds, ANA))
    with sqlite3.connect(tmp_path / "panel.db") as source:
        (tmp_path / "later").mkdir()
        with sqlite3.connect(tmp_path / "later" / "panel.db") as copy:
            source.backup(copy)
    run(panel, f"forget --person {ANA}")
    file = tmp_path / "tombstones.json"
    file.write_text(run(panel, "forget --tombstones").stdout)
    assert ANA not in file.read_text()
    restored = make(PANEL_DATABASE_URL=f"sqlite:///{tmp_path / 'later' / 'panel.db'}")
    assert "collaborator:1" in restored.services.directory.people_of(42)
    answer = run(restored, f"forget --restore {file}")
    assert answer.exit_code == FOUND, answer.output
    assert "collaborator:1" not in restored.services.directory.people_of(42)
    assert stored(tmp_path / "later", ANA) == []


def test_a_file_that_is_none_is_told(panel: Panel, tmp_path: Path) -> None:
    keys = ("zz", "", "A" * 64, "0" * 63, "0" * 65, None)
    for text in ("no", "null", *(json.dumps({"key": key, "marks": []}) for key in keys)):
        (tmp_path / "x").write_text(text)
        answer = run(panel, f"forget --restore {tmp_path / 'x'}")
        assert answer.exit_code == COULD_NOT
        assert "is none that" in answer.output
    # An invalid key would have ended every pass.
    assert run(panel, "forget --tombstones").exit_code == FINE


def test_what_agents_said_long_ago_is_forgotten(panel: Panel, worlds: Worlds) -> None:
    learn(panel)
    say(panel, contact_of(worlds, ANA))
    assert panel.services.links.find(700, 0)
    get(Jobs, panel.app).begin_night()
    assert panel.services.links.find(700, 0) == []
