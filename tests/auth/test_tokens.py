"""Launch keys and seals: accepted ones, and refused ones."""

import string
import time
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.auth.seal import SIGNED_FIELDS, InvalidSeal, Seal
from panel.auth.tokens import (
    SEAL_SECONDS,
    derive_launch_key,
    make_launch_url,
    make_signer,
    parse_bearer,
)
from panel.demo.worlds import AGENT, SECRET
from panel.settings import Settings, from_env
from tests.conftest import Panel, attribute, rows_of, seal_of

OTHER = "another-secret-of-24-characters"


def settings(**changes: str) -> Settings:
    return from_env(
        {
            "CHATWOOT_CONTACT_VIEW_SECRET": SECRET,
            "MIDDAG_API_URL": "https://account.example.com/v1",
            "CHATWOOT_URL": "https://chat.example.com",
            "CHATWOOT_ACCOUNT_ID": "1",
            "CHATWOOT_API_TOKEN": "token",
            **changes,
        }
    )


def test_a_launch_key_is_derived_and_does_not_hold_the_secret() -> None:
    key = derive_launch_key(SECRET)
    assert key == derive_launch_key(SECRET) != derive_launch_key(OTHER)
    assert set(key) <= set(string.ascii_letters + string.digits + "-_")
    assert len(key) >= 43
    assert SECRET not in key


def test_the_launch_key_stands_in_the_fragment_only() -> None:
    url = make_launch_url(settings(), "https://panel.example.com/")
    assert url == f"https://panel.example.com/#k={derive_launch_key(SECRET)}"
    other = settings(PANEL_AGENT_PROOF="access-token")
    assert make_launch_url(other, "https://panel.example.com") == "https://panel.example.com/"


def test_the_first_secret_makes_the_launch_address() -> None:
    both = settings(CHATWOOT_CONTACT_VIEW_SECRET=f"{OTHER},{SECRET}")
    assert derive_launch_key(OTHER) in make_launch_url(both, "https://panel.example.com")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER  abc ", "abc"),
        ("Basic abc", ""),
        ("Bearerabc", ""),
        ("abc", ""),
        ("Bearer", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_bearer_is_what_stands_behind_the_word(header: str | None, value: str) -> None:
    assert parse_bearer(header) == value


SEAL = Seal(AGENT, "shared-secret", 1, 101, 301, 42, "proven")


def test_a_seal_says_what_was_sealed(standing: Panel) -> None:
    access = standing.services.seals
    seal = access.open(f"Bearer {access.sign(SEAL)}")
    assert replace(seal, since=0) == SEAL


@given(st.text(max_size=300))
def test_nothing_else_opens(standing_access: Panel, text: str) -> None:
    with pytest.raises(InvalidSeal):
        standing_access.services.seals.open(f"Bearer {text}")


@pytest.fixture(scope="module")
def standing_access(_standing: Panel) -> Panel:
    return _standing


def test_a_seal_made_of_a_seal_lives_no_longer_than_the_proof(panel: Panel) -> None:
    access, now = panel.services.seals, int(time.time())
    seal = access.open(f"Bearer {seal_of(panel.open().text)}")
    assert now <= seal.since <= now + 60
    older = replace(seal, since=now - SEAL_SECONDS + 600)
    html = panel.say(access.sign(older), "pick", 42).text
    assert access.open(f"Bearer {seal_of(html)}").since == older.since
    uncovering = {"section": "orders", "reason": "Called back"}
    text = panel.ask("POST", "/uncover", access.sign(older), data=uncovering).text
    assert access.open(f"Bearer {seal_of(text)}").since == older.since
    over = access.sign(replace(seal, since=now - SEAL_SECONDS - 1))
    assert panel.section("orders", over).json() == {"error": {"code": "seal_expired"}}


@pytest.mark.parametrize("proof", ["none", "forged", "another's seal"])
def test_organization_ids_cannot_be_enumerated(standing: Panel, proof: str) -> None:
    """Only proven agents, who can search, learn whether an id exists; a seal opens its own
    organization."""
    own = seal_of(standing.open("healthy").text)
    bearer = {"none": None, "forged": "a.b.c", "another's seal": own}[proof]
    codes = set()
    for number in (42, 45, 51, 999_999):
        query = {"organization": number, "org": number, "q": number}
        answer = standing.ask("GET", f"/sections/organization?id={number}", bearer, params=query)
        codes.add((answer.status_code, tuple(rows_of(answer.text))))
    assert codes == ({(200, (42,))} if proof == "another's seal" else {(401, ())})


def test_an_organization_that_does_not_fit_is_not_told_from_one_that_does_not_exist(
    standing: Panel,
) -> None:
    pages = [standing.open("unlinked", organization=number) for number in (42, 45, 999_999)]
    assert {attribute(page.text, "data-panel") for page in pages} == {"unlinked"}
    facts = str(standing.office.organizations[42]["name"])
    assert not [page for page in pages if facts in page.text]


def test_the_values_of_a_seal_are_signed_by_the_names_of_its_fields(panel: Panel) -> None:
    """Wherever a field stands in the class: programs of another version read the seal as well."""
    assert {field.name for field in fields(Seal)} == set(SIGNED_FIELDS)
    seal = Seal(AGENT, "shared-secret", 1, 101, 301, 42, since=7, generation=3, verification="v")
    values = make_signer(panel.settings, "seal").loads(panel.services.seals.sign(seal))
    assert dict(zip(SIGNED_FIELDS, values, strict=True)) == {**vars(seal), "uncovered": []}
