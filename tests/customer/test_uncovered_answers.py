"""Answers that an agent may have from the panel itself, which has uncovered them."""

import time
from dataclasses import replace

from panel.data.audit_log import AuditEntry
from tests.conftest import MakePanel, Panel, attribute, seal_of, words_of
from tests.customer.strangers import told, writes
from tests.customer.verifying import (
    ADMINISTRATOR,
    acme,
    key_of,
    make,
    notes,
    say,
    seal_for,
    verified,
    visits,
)

__all__ = ["acme", "make"]  # fixtures


def uncover(panel: Panel, seal: str, section: str) -> None:
    form = {"section": section, "reason": "named #4201"}
    assert panel.ask("POST", "/uncover", seal, data=form).ok


def test_a_key_that_the_panel_has_uncovered_proves_nobody(acme: Panel) -> None:
    """An agent finds the company by the search, uncovers its keys, and types one of them."""
    number = writes(acme)
    pick = acme.say(seal_for(acme, number), "pick", 45)
    assert "data-masked" in acme.section("licenses", seal_of(pick.text), wait=1).text
    seal = seal_of(pick.text)
    uncover(acme, seal, "licenses")
    answer = say(acme, seal, answer=key_of(acme, 45))
    assert told(answer.text) == ("ready", "45", "picked", "unproven")
    assert "the panel has shown it to an agent today" in answer.text
    assert "knows a license key" not in answer.text
    assert notes(acme, number, "tried", "verified") == ["key (uncovered before) right"]
    dialog = words_of(acme.ask("GET", "/verify", seal).text)
    assert "No proof, since the panel has shown it: the last eight characters" in dialog
    assert "Proof: " not in dialog
    assert attribute(say(acme, seal, called=1).text, "data-trust") == "proven"


def test_it_proves_nobody_in_another_conversation_of_this_agent_nor_here_by_another(
    make: MakePanel, acme: Panel
) -> None:
    panel = make(PANEL_VERIFY_BY="key,tax_id")
    near, elsewhere = (writes(acme, here={"middag_organization_id": "46"}) for _ in range(2))
    uncover(acme, seal_for(acme, near), "organization")
    tax_id = acme.office.organizations[46]["cnpj"]

    def answer(number: int, agent: int, text: str) -> str | None:
        html = panel.open("healthy", conversation=number, contact=number, agent_id=agent).text
        return attribute(say(panel, seal_of(html), answer=text).text, "data-trust")

    assert answer(elsewhere, 2, tax_id) == "unproven"
    assert answer(near, ADMINISTRATOR, tax_id) == "unproven"
    assert answer(elsewhere, ADMINISTRATOR, tax_id) == "proven"
    assert answer(near, 2, key_of(acme, 46)) == "proven"


def test_a_day_after_it_was_uncovered_it_proves_again(acme: Panel) -> None:
    number = visits(acme)
    uncovered = AuditEntry("uncovered", 2, number, 42, note="licenses: named #4201")
    acme.services.audit_log.record(replace(uncovered, at=time.time() - 86401))
    verified(acme, number)
