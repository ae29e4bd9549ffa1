"""`export`: all that is kept of a person or an organization, and nothing of others."""

import json

from panel.cache.policy import CacheControl
from panel.upstream.chatwoot import ID_ATTRIBUTE
from panel.upstream.documents import COLLABORATORS
from tests.cli.running import make, panel, read, run, worlds
from tests.conftest import Panel, Worlds
from tests.privacy.test_forgetting import ANA, BIA, contact_of, learn, say

__all__ = ["make", "panel", "worlds"]  # fixtures


def test_an_export_holds_all_that_is_kept_of_a_person(panel: Panel, worlds: Worlds) -> None:
    learn(panel)
    say(panel, contact_of(worlds, ANA))
    panel.services.back_office.read(COLLABORATORS, 42, CacheControl.FRESH)
    document = json.loads(run(panel, f"export --person {ANA}").stdout)
    assert document["emails"] == [ANA]
    assert len(document["tables"]["people"]) == 2
    assert {row["subject"] for row in document["tables"]["links"]} >= {700}
    assert any(row["word"] == ANA for row in document["tables"]["terms"])
    assert [row["document"] for row in document["copies"]] == ["collaborators"]
    assert document["chatwoot"][0]["attributes"][ID_ATTRIBUTE] == "42,45"
    assert BIA not in json.dumps(document)


def test_an_export_of_an_organization(panel: Panel) -> None:
    learn(panel)
    report = read(panel, "export --organization 42")
    assert report["tables"]["organizations"][0]["name"] == "Acme"
    assert len(report["tables"]["people"]) == 4
