"""`forget` while panels are open: what they show next, and that nothing comes back through them.

The panel is a process of its own, as it is served; the command is another one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from panel.demo.scenarios import SCENARIOS
from panel.upstream.chatwoot import ID_ATTRIBUTE
from panel.web.sections import SECTIONS
from tests.broken.site import CUSTOMER, ORGANIZATION, Site, site
from tests.conftest import attribute, state_of, wait_until

ACME, ANA = "Acme", "ana@acme.example"
FOUND = 1
PATIENCE = 60.0  # seconds, on a busy machine


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Site]:
    """Serve a panel whose passes have seen Acme, and which an agent has open with all sections."""
    with site(tmp_path) as running_site:
        running_site.start_web()
        running_site.await_web()
        running_site.run(f"sync backfill {ORGANIZATION}")
        wait_until(lambda: running_site.run("sync known").output == f"{ORGANIZATION}\n", PATIENCE)
        for name in SECTIONS:
            running_site.ask("GET", f"/sections/{name}", running_site.seal)
        running_site.ask("GET", f"/rows/organization/{ORGANIZATION}", running_site.seal)
        yield running_site


def find_files(of: Site, text: str) -> list[str]:
    """Return the files of the database and of the cache that contain this text, also in free
    pages."""
    files = [path for path in of.folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in files if text.encode() in path.read_bytes())


def look_again(of: Site) -> dict[str, str]:
    """Make all requests that an open panel makes by itself and by an agent's clicks; returns the
    HTML of its sections."""
    of.ask("GET", "/changes", of.seal)
    of.ask("GET", f"/rows/organization/{ORGANIZATION}", of.seal)
    of.ask("GET", "/search?q=acme", of.seal)
    return {name: of.ask("POST", f"/sections/{name}/refresh", of.seal).text for name in SECTIONS}


def delete_acme(of: Site) -> None:
    """Delete Acme in MIDDAG Account, and in Chatwoot what names it: data.md says, there first."""
    for section in ("orders", "quotes", "licenses", "collaborators", "entitlements"):
        of.office.rows(section, ORGANIZATION).clear()
    of.office.remove("organization", ORGANIZATION, ORGANIZATION)


def test_an_open_panel_of_a_forgotten_company_says_that_it_is_unknown(served: Site) -> None:
    assert find_files(served, ACME)
    delete_acme(served)
    assert served.run(f"forget --organization {ORGANIZATION}", apart=True).code in (0, FOUND)
    assert find_files(served, ACME) == []
    shown = look_again(served)
    assert state_of(shown["organization"]) == "failed"
    assert attribute(shown["organization"], "data-code") == "unknown_organization"
    assert ACME not in "".join(shown.values())
    assert find_files(served, ACME) == [], "what the panel asked for meanwhile"
    again = served.open().text
    assert ACME not in again
    assert find_files(served, ACME) == []


def test_a_company_that_middag_account_still_has_is_read_from_there(served: Site) -> None:
    """The command warns of it. The company comes into the cache again, and into no table."""
    report = served.run(f"forget --organization {ORGANIZATION}", apart=True)
    assert report.code == FOUND
    assert "MIDDAG Account still has them" in report.output
    shown = look_again(served)
    assert state_of(shown["organization"]) == "fresh"
    assert ACME in shown["organization"]
    holding = find_files(served, ACME)
    assert holding
    assert not [name for name in holding if name.startswith("panel.db")]


def test_nothing_of_a_forgotten_person_comes_back_through_an_open_panel(served: Site) -> None:
    """The person is gone from both worlds; the company stays, and so does its panel."""
    assert find_files(served, ANA)
    served.office.rows("collaborators", ORGANIZATION).clear()
    for row in served.office.organizations.values():
        row.pop("email", None)
    contact = SCENARIOS[CUSTOMER].contact
    report = served.run(f"forget --person {ANA}", apart=True)
    assert report.code == FOUND, "the contact in Chatwoot is left for whoever deletes it there"
    assert ID_ATTRIBUTE not in served.chat.contacts[contact]["custom_attributes"]
    assert f"contacts {contact}" in report.output
    del served.chat.contacts[contact]
    for row in [row for row in served.chat.conversations.values() if row["contact_id"] == contact]:
        del served.chat.conversations[row["id"]]
    assert find_files(served, ANA) == []
    look_again(served)
    answer = served.open()
    assert ANA not in answer.text
    assert find_files(served, ANA) == []
