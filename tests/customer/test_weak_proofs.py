"""Values of the back office that are no secret, or cannot be called: they prove nobody."""

import pytest

from panel.customer.answers import Agreement, Facts, compare_answer
from tests.conftest import Panel
from tests.customer.strangers import writes
from tests.customer.verifying import acme, logged, make, say, seal_for

__all__ = ["acme", "make"]  # fixtures


@pytest.mark.parametrize("text", ["não informado", "-", "0", "190", "(61) ****-0042"])
def test_a_text_that_nobody_can_call_is_no_phone(acme: Panel, text: str) -> None:
    number = writes(acme, here={"middag_organization_id": "48"})
    seal = seal_for(acme, number)
    acme.office.organizations[48]["phone"] = text
    acme.refresh("organization", seal)
    dialog = acme.ask("GET", "/verify", seal)
    assert 'data-action="called"' not in dialog.text
    assert logged(acme, number, "phone_shown") == []
    assert say(acme, seal, called=1).status_code == 422


@pytest.mark.parametrize(
    "key", ["XXXX-XXXX-XXXX-XXXX", "xxxxxxxxxxxx9774", "0000000000000042", "********1111"]
)
def test_a_key_that_the_back_office_hides_or_counts_up_proves_nothing(key: str) -> None:
    """Such a key is no secret: its last eight characters are the same for many, or count."""
    for answer in (key, key[-9:], f"a chave é {key}"):
        assert compare_answer(answer, Facts(keys=(key,))) == []
    assert compare_answer("000190", Facts(tax_ids=("**.***.***/0001-90",))) == []
    assert compare_answer("AB12-CD34", Facts(keys=(key, "9F00-AB12-CD34"))) == [Agreement("key")]
