"""The writes of passes for PHP's forms of values: names as people read them, days as days. Nothing
is cleared because a value or a record cannot be read."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.sync.passes import Bench, bench, entitlement, person

__all__ = ["bench"]  # a fixture

TODAY = datetime.now(ZoneInfo("America/Sao_Paulo")).date()
COMPANY, ANA = "contato@acme.example", "ana@acme.example"


def rename(bench: Bench, name: str) -> None:
    bench.office.organizations[42]["name"] = name


def set_name(bench: Bench, email: str, name: str) -> None:
    """Set the name that an earlier version, or an agent, wrote into Chatwoot."""
    bench.contact(email=email)["name"] = name


# -- names -----------------------------------------------------------------------------------------


def test_entities_are_decoded_in_names_attributes_and_the_search(bench: Bench) -> None:
    rename(bench, "O&#8217;Brien &amp; Filhos")
    bench.office.collaborators[42][0]["name"] = "Ana d&#039;&Aacute;vila"
    bench.run()
    assert bench.contact(email=COMPANY)["name"] == "O’Brien & Filhos"
    assert bench.contact(email=ANA)["name"] == "Ana d'Ávila"
    assert bench.told(email=ANA)["middag_organization"] == "O’Brien & Filhos"
    [company] = bench.directory.get_organizations([42]).values()
    assert company.name == "O’Brien & Filhos"


@pytest.mark.parametrize("mended", ["O&#8217;Brien Ltda", "O’Brien Ltda", "O'Brien Ltda"])
def test_a_raw_name_that_we_wrote_is_corrected(bench: Bench, mended: str) -> None:
    """The name is corrected also where the back office has mended it meanwhile."""
    bench.run()
    set_name(bench, COMPANY, "O&#8217;Brien Ltda")
    rename(bench, mended)
    bench.run()
    assert bench.contact(email=COMPANY)["name"] in ("O’Brien Ltda", "O'Brien Ltda")


@pytest.mark.parametrize("name", ["Dona Ana", "O&#8217;Brien Cursos", "O’Brien Ltda.", "Acme Ltda"])
def test_a_name_that_somebody_else_wrote_stays(bench: Bench, name: str) -> None:
    bench.run()
    set_name(bench, COMPANY, name)
    rename(bench, "O&#8217;Brien Ltda")
    bench.run()
    assert bench.contact(email=COMPANY)["name"] == name


def test_a_corrected_name_is_written_once(bench: Bench) -> None:
    bench.run()
    set_name(bench, COMPANY, "Acme &amp; Ltda")
    rename(bench, "Acme &amp; Ltda")
    bench.run()
    bench.chat.forget()
    bench.run()
    assert [call for call in bench.chat.calls if call.method == "PUT"] == []


# -- days ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["{}", "{}T00:00:00Z", "{} 00:00:00", "{}T00:00:00-03:00", "{}T12:00:00Z"]
)
def test_the_next_expiry_is_the_day_that_was_written(bench: Bench, form: str) -> None:
    day = TODAY + timedelta(days=40)
    entitlement(bench.office, 42, 1, "active", form.format(day))
    bench.run()
    assert bench.told(email=ANA)["middag_next_expiry"] == day.isoformat()


@pytest.mark.parametrize(("days", "word"), [(0, True), (-1, False)])
def test_what_expires_today_is_still_to_come(bench: Bench, days: int, word: bool) -> None:
    day = TODAY + timedelta(days=days)
    entitlement(bench.office, 42, 1, "active", f"{day}T00:00:00Z")
    bench.run()
    assert (bench.told(email=ANA).get("middag_next_expiry") == day.isoformat()) is word


@pytest.mark.parametrize("end", ["lifetime", "never", 0, False, "", None])
def test_no_end_is_no_next_expiry(bench: Bench, end: Any) -> None:
    entitlement(bench.office, 42, 1, "Ativo", end)
    bench.run()
    attributes = bench.told(email=ANA)
    assert attributes["middag_active_entitlements"] == 1
    assert "middag_next_expiry" not in attributes


# -- unreadable values --------------------------------------------------------------------------

FACTS = ("middag_entitlement_status", "middag_active_entitlements", "middag_next_expiry")


def facts(bench: Bench) -> list[Any]:
    attributes = bench.told(email=ANA)
    return [attributes.get(key) for key in FACTS]


@pytest.mark.parametrize(
    "fields",
    [
        *({"status": 3}, {"expires_at": "soon"}, {"status": {}, "expires_at": "soon"}),
        *({"id": None}, {"status": "Em análise"}, {"status": None}),
    ],
    ids=str,
)
def test_entitlements_that_cannot_be_read_leave_what_is_known(
    bench: Bench, fields: dict[str, Any]
) -> None:
    bench.run()
    before = facts(bench)
    assert None not in before
    bench.office.entitlements[42][0] |= fields
    bench.run()
    assert facts(bench) == before


@pytest.mark.parametrize(
    ("written", "status"),
    [("Suspenso", "suspended"), ("Expirada", "expired"), ("CANCELADO", "cancelled")],
)
def test_a_status_is_read_in_the_language_of_the_plugins_screens(
    bench: Bench, written: str, status: str
) -> None:
    bench.run()
    bench.office.entitlements[42][0]["status"] = written
    bench.run()
    assert facts(bench)[:2] == [status, 0]


def test_one_that_cannot_be_read_hides_no_other(bench: Bench) -> None:
    bench.run()
    day = TODAY + timedelta(days=90)
    entitlement(bench.office, 42, 1, "active", "soon")
    entitlement(bench.office, 42, 2, "suspended", None)
    entitlement(bench.office, 42, 3, "active", str(day))
    bench.office.entitlements[42].append({"status": "active"})
    bench.run()
    assert facts(bench) == ["suspended", 2, str(day)]


@pytest.mark.parametrize(
    ("fields", "key", "value"),
    [
        ({"name": ["Acme"]}, "middag_organization", "Acme Ltda"),
        ({"plan": 3}, "middag_plan", "Flex"),
        ({"billing_entity": {"slug": "middag_br"}}, "middag_billing_entity", "middag_br"),
        ({"email": {"value": COMPANY}}, "middag_organization_id", "42"),
    ],
)
def test_a_field_that_cannot_be_read_clears_nothing(
    bench: Bench, fields: dict[str, Any], key: str, value: str
) -> None:
    bench.office.organizations[42]["plan"] = "Flex"
    bench.run()
    bench.office.organizations[42] |= fields
    bench.run()
    assert bench.told(email=COMPANY)[key] == value


@pytest.mark.parametrize(
    "text",
    [
        *("Caio <caio@acme.example>", "caio@acme.example, bia@acme.example", "caio@", "@acme"),
        *("caio@acme.example;", "caio @acme.example", "x" * 250 + "@acme.example", "n/d"),
    ],
)
def test_an_email_in_another_form_makes_no_contact_and_stops_no_pass(
    bench: Bench, text: str
) -> None:
    person(bench.office, 42, 9, text, "member", 9)
    bench.run()
    assert len(bench.chat.contacts) == 3
    assert bench.directory.people_of(42).keys() == {
        "organization",
        "collaborator:1",
        "collaborator:2",
    }


@pytest.mark.parametrize("record", [None, [], {"email": "bia@acme.example"}, {"id": "x"}])
def test_a_collaborator_that_cannot_be_read_makes_nobody_leave(bench: Bench, record: Any) -> None:
    bench.run()
    bench.office.collaborators[42][1:] = [record]
    bench.run()
    assert bench.told(email="bia@acme.example")["middag_organization_id"] == "42"
    person(bench.office, 42, 9, "caio@acme.example", "member", 9)
    bench.office.collaborators[42].remove(record)
    bench.run()
    assert "middag_organization_id" not in bench.told(email="bia@acme.example")
    assert bench.told(email="caio@acme.example")["middag_organization_id"] == "42"
