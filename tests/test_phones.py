"""Phone numbers in one form, however they are written."""

import pytest

from panel.phones import is_switchboard, normalize_phone, write_forms


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+55 61 99999-0001", None, "+5561999990001"),
        ("(61) 99999-0001", None, "+5561999990001"),
        ("061 99999 0001", "BR", "+5561999990001"),
        ("+55 61 9999-0001", None, "+5561999990001"),  # before the ninth digit
        ("+556133220042", None, "+556133220042"),  # a landline has eight digits
        ("512-555-0107", "US", "+15125550107"),
        ("+1 512 555 0107", None, "+15125550107"),
        ("12", None, None),
        ("ramal 4", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_phone_number_is_one_text_or_none(
    text: str | None, country: str | None, number: str | None
) -> None:
    assert normalize_phone(text, country) == number


def test_a_number_is_written_with_its_country_without_and_in_brazil_without_its_area() -> None:
    assert write_forms("+5561999990001") == ("5561999990001", "61999990001", "999990001")
    assert write_forms("+15125550107") == ("15125550107", "5125550107")
    assert write_forms("nothing") == ()


@pytest.mark.parametrize(
    ("text", "country", "shared"),
    [
        ("+1 (617) 253-1000", "US", True),
        ("+55 61 3322-9999", "BR", True),
        ("+55 61 98888-4201 ramal 12", "BR", True),
        ("+55 61 98888-4201", "BR", False),
    ],
)
def test_a_company_is_proven_by_what_is_surely_a_mobile(
    text: str, country: str, shared: bool
) -> None:
    assert is_switchboard(text, country) is shared
