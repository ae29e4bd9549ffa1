"""`sync erased`: contacts that were deleted in Chatwoot, and the administrator's permission to make
them again."""

from panel.services import get
from panel.sync.jobs import Jobs
from tests.cli.running import FINE, FOUND, make, panel, read, run, work, worlds
from tests.conftest import Panel, Worlds

__all__ = ["make", "panel", "worlds"]  # fixtures


def erase(panel: Panel, worlds: Worlds) -> tuple[int, str]:
    """Delete a person's contact, and let a pass notice it."""
    get(Jobs, panel.app).bring_in_line(42)
    number, email = next(
        (number, row["email"]) for number, row in worlds.chat.contacts.items() if row["email"]
    )
    del worlds.chat.contacts[number]
    get(Jobs, panel.app).bring_in_line(42)
    return number, email


def has(worlds: Worlds, email: str) -> bool:
    return any(row["email"] == email for row in worlds.chat.contacts.values())


def test_nothing_was_deleted(panel: Panel) -> None:
    assert read(panel, "sync erased") == []
    assert run(panel, "sync erased").stdout == "No contact of ours was deleted in Chatwoot.\n"


def test_it_lists_what_was_deleted_and_names_nobody(panel: Panel, worlds: Worlds) -> None:
    number, email = erase(panel, worlds)
    (row,) = read(panel, "sync erased")
    assert (row["contact"], row["organizations"]) == (number, [42])
    stdout = run(panel, "sync erased").stdout
    assert f"contact {number}  organization 42" in stdout
    assert "--allow ID" in stdout
    assert email not in stdout


def test_drift_says_it_and_calls_it_in_line(panel: Panel, worlds: Worlds) -> None:
    number, _ = erase(panel, worlds)
    outcome = run(panel, "sync drift 42")
    assert outcome.exit_code == FINE
    assert "Everything is in line." in outcome.stdout
    assert f"contact {number} of " in outcome.stdout
    assert f"sync erased --allow {number}" in outcome.stdout
    assert "put it right" not in outcome.stdout


def test_drift_says_it_before_a_pass_has_seen_it(panel: Panel, worlds: Worlds) -> None:
    get(Jobs, panel.app).bring_in_line(42)
    number = next(number for number, row in worlds.chat.contacts.items() if row["email"])
    del worlds.chat.contacts[number]
    assert f"sync erased --allow {number}" in run(panel, "sync drift 42").stdout
    assert read(panel, "sync erased") == []


def test_who_is_allowed_is_made_at_once(panel: Panel, worlds: Worlds) -> None:
    number, email = erase(panel, worlds)
    assert read(panel, f"sync erased --allow {number}") == {
        "allowed": [number],
        "lined_up": [42],
    }
    work(panel)
    assert has(worlds, email)
    assert read(panel, "sync erased") == []


def test_all_are_allowed_together(panel: Panel, worlds: Worlds) -> None:
    number, email = erase(panel, worlds)
    assert read(panel, "sync erased --allow-all")["allowed"] == [number]
    work(panel)
    assert has(worlds, email)


def test_an_unknown_number_allows_nothing(panel: Panel, worlds: Worlds) -> None:
    number, email = erase(panel, worlds)
    outcome = run(panel, f"sync erased --allow {number + 1}")
    assert outcome.exit_code == FOUND
    assert "No pass has found" in outcome.stderr
    assert [row["contact"] for row in read(panel, "sync erased")] == [number]
    assert not has(worlds, email)
