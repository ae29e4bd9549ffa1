"""Launch keys and seals: what convinces us, and what does not."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.access import Seal, Unsealed, bearer, launch_key, launch_url
from panel.demo.worlds import AGENT, SECRET
from panel.settings import Settings, from_env
from tests.conftest import Panel

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
    key = launch_key(SECRET)
    assert key == launch_key(SECRET) != launch_key(OTHER)
    assert set(key) <= set(string.ascii_letters + string.digits + "-_")
    assert len(key) >= 43
    assert SECRET not in key


def test_the_launch_key_stands_in_the_fragment_only() -> None:
    url = launch_url(settings(), "https://panel.example.com/")
    assert url == f"https://panel.example.com/#k={launch_key(SECRET)}"
    other = settings(PANEL_AGENT_PROOF="access-token")
    assert launch_url(other, "https://panel.example.com") == "https://panel.example.com/"


def test_the_first_secret_makes_the_launch_address() -> None:
    both = settings(CHATWOOT_CONTACT_VIEW_SECRET=f"{OTHER},{SECRET}")
    assert launch_key(OTHER) in launch_url(both, "https://panel.example.com")


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
    assert bearer(header) == value


SEAL = Seal(AGENT, "shared-secret", 1, 101, 301, 42, "proven")


def test_a_seal_says_what_was_sealed(standing: Panel) -> None:
    access = standing.services.access
    assert access.opened(f"Bearer {access.seal(SEAL)}") == SEAL


@given(st.text(max_size=300))
def test_nothing_else_opens(standing_access: Panel, text: str) -> None:
    with pytest.raises(Unsealed):
        standing_access.services.access.opened(f"Bearer {text}")


@pytest.fixture(scope="module")
def standing_access(_standing: Panel) -> Panel:
    return _standing
