"""Organizations and collaborators, in both forms of every contradiction of the documentation."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.models.organizations import Collaborator, Organization
from panel.models.values import Illegible, Oddity, Status
from tests.models.json_values import json_values


def organization(**fields: Any) -> Organization:
    return Organization.from_json({"id": 42, "name": "Acme", **fields})


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"cnpj": "12.345.678/0001-90"}, "tax_id", "12.345.678/0001-90"),
        ({"tax_id": "12.ABC.345/01DE-35"}, "tax_id", "12.ABC.345/01DE-35"),
        ({"cnpj": None, "tax_id": "36-4827159"}, "tax_id", "36-4827159"),
        ({"cnpj": ""}, "tax_id", None),
        ({"billing_entity": "middag_br"}, "billing_name", "MIDDAG BR"),
        ({"company": "middag_global"}, "billing_name", "MIDDAG GLOBAL"),
        ({"company": "middag_mars"}, "billing_name", "middag_mars"),
        ({}, "billing_name", None),
        ({"plan": "Business"}, "plan", "Business"),
        ({"plan": {"name": "Flex"}}, "plan", "Flex"),
        ({"plan": {}}, "plan", None),
        ({"plan": 3}, "plan", None),
        ({}, "plan", None),
        ({"name": None, "legal_name": "Acme Ltda"}, "name", "Acme Ltda"),
        ({"name": " "}, "name", "#42"),
        ({"country": "BR"}, "tax_label", "CNPJ"),
        ({"country": "US"}, "tax_label", "EIN"),
        ({"country": "DE"}, "tax_label", "Tax ID"),
        ({"country": "br"}, "tax_label", "CNPJ"),
        ({"country": "Brasil"}, "tax_label", "CNPJ"),
        ({"cnpj": 1345678000190}, "tax_id", "01.345.678/0001-90"),
        ({"cnpj": "12345678000190"}, "tax_id", "12.345.678/0001-90"),
        ({"cnpj": 364827159, "country": "US"}, "tax_id", "364827159"),
        ({"cnpj": Decimal("12345678000190.0")}, "tax_id", "12.345.678/0001-90"),
        ({"cnpj": Decimal("1345678000190.0")}, "tax_id", "01.345.678/0001-90"),
        ({"phone": Decimal("5561999990042.0")}, "phone", "5561999990042"),
        ({"phone": Decimal("5.561999990042E+12")}, "phone", "5561999990042"),
        ({"cnpj": Decimal("1.2345678000190E+19")}, "tax_id", None),  # PHP has cut its last digits
        ({"name": Decimal("3.50")}, "name", "3.50"),
        ({"name": "Aurora &amp; Filhos"}, "name", "Aurora & Filhos"),
        ({"name": 2000}, "name", "2000"),
        ({"name": {"rendered": "Acme"}, "legal_name": "Acme Ltda"}, "name", "Acme Ltda"),
        ({"plan": []}, "plan", None),
        ({"plan": "Flex &amp; Co"}, "plan", "Flex & Co"),
        ({"verification_status": 3}, "verification", Illegible("3")),
        ({"status": []}, "status", Illegible("[]", compound=True)),
        ({"status": "publish"}, "verification", None),
        ({"status": "verified"}, "verification", Status("verified", "verified")),
    ],
)
def test_an_organization_is_read_from_either_side_of_a_contradiction(
    fields: dict[str, Any], name: str, value: object
) -> None:
    assert getattr(organization(**fields), name) == value


def test_verified_is_kept_wherever_it_stands() -> None:
    by_reference = organization(status="publish", verification_status="Under Review")
    assert by_reference.verification == Status("under-review", "Under Review")
    by_example = organization(status="verified")
    assert by_example.status == by_example.verification == Status("verified", "verified")
    assert organization(status="publish").verification is None


def test_a_collaborators_email_and_role_have_one_spelling() -> None:
    row = {"id": 1, "email": "Hugo@Example.COM", "role": "Owner", "user_id": None}
    person = Collaborator.from_json(row)
    assert (person.email, person.role, person.user_id) == ("hugo@example.com", "owner", None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MARIA DA SILVA 12345678909", "MARIA DA SILVA"),
        ("MARIA DA SILVA 123.456.789-09", "MARIA DA SILVA"),
        ("12.345.678/0001-95 JOSE LTDA", "JOSE LTDA"),
        ("Studio 2000 Ltda", "Studio 2000 Ltda"),
        ("12.345.678 MARIA DA SILVA", "MARIA DA SILVA"),
        ("MARIA DA SILVA 123 456 789 09", "MARIA DA SILVA"),
        ("MARIA DA SILVA 123.456.789 - 09", "MARIA DA SILVA"),
        ("12 345 678 / 0001 - 95 JOSE LTDA", "JOSE LTDA"),
        ("AB.CDE.FGH/0001-35 JOSE LTDA", "JOSE LTDA"),
        ("JOSE LTDA ABCDEFGH000135", "JOSE LTDA"),
        ("Turma 2025 2026 Ltda", "Turma 2025 2026 Ltda"),
        ("Grupo 12.345 Ltda", "Grupo 12.345 Ltda"),
        ("MARIA DA SILVA&nbsp;12345678909", "MARIA DA SILVA"),
    ],
)
def test_a_name_is_read_without_the_tax_id_in_it(name: str, expected: str) -> None:
    result = Organization.from_json({"id": 42, "name": name, "legal_name": name})
    assert (result.name, result.legal_name) == (expected, expected)


@given(
    row=st.dictionaries(
        st.sampled_from(
            ["id", "name", "legal_name", "cnpj", "tax_id", "status", "verification_status", "plan",
             "billing_entity", "company", "email", "phone", "city", "country", "owner_id", "role",
             "user_id"]
        ),
        json_values,
    )
)  # fmt: skip
def test_no_document_and_no_person_raise_for_an_odd_value(row: dict[str, Any]) -> None:
    assert Organization.from_json({**row, "id": 42}).id == 42
    assert Collaborator.from_json({**row, "id": 42}).id == 42


def test_what_is_odd_about_an_organization_is_remembered() -> None:
    result = organization(city=["Natal"], status=3, email="nobody")
    assert {(oddity.record, oddity.field) for oddity in result.oddities} == {
        *(("42", "city"), ("42", "status"), ("42", "email")),
    }
    assert Oddity("42", "email", "no e-mail") in result.oddities
