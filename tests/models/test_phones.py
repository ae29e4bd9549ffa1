"""Phone numbers in one form, however they are written."""

import pytest

from panel.models.phones import (
    identify_line,
    is_personal_phone,
    is_switchboard,
    list_spellings,
    normalize_phone,
    write_forms,
)


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+55 61 99999-0001", None, "+5561999990001"),
        ("(61) 99999-0001", "BR", "+5561999990001"),
        ("061 99999 0001", "BR", "+5561999990001"),
        ("+55 61 9999-0001", None, "+5561999990001"),  # before the ninth digit
        ("+55 11 7777-1234", None, "+5511977771234"),
        ("+556133220042", None, "+556133220042"),  # a landline has eight digits
        ("+5215512345678", None, "+525512345678"),  # with the 1 that was usual until 2019
        ("1 55 1234 5678", "MX", "+525512345678"),
        ("+5491123456789", None, "+5491123456789"),
        ("+541123456789", None, "+541123456789"),  # a landline's, or a mobile's without its 9
        ("011 15 2345-6789", "AR", "+5491123456789"),
        ("512-555-0107", "US", "+15125550107"),
        # Dialled from abroad; to Brazil's own dialling, 0055 is carrier 55 and then a country.
        ("0055 33 98888-7777", "BR", "+5533988887777"),
        ("00 55 (47) 98888-7777", "BR", "+5547988887777"),
        ("+0055 (24) 3322-0042", "BR", "+552433220042"),
        ("(0055) 61 98888-7777", "BR", "+5561988887777"),
        ("0055 61 8888-7777", "BR", "+5561988887777"),
        ("0055 61 98888-7777", "US", None),
        ("0033 98888-7777", "BR", None),  # of France, or of area 33 with a 0 too much
        ("0033 6 12 34 56 78", "DE", "+33612345678"),
        ("0015 1 212 555 0123", "BR", "+12125550123"),
        ("0021 351 21 123 4567", "BR", "+351211234567"),
        ("+1 512 555 0107", "BR", "+15125550107"),
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


@pytest.mark.parametrize("text", ["(61) 99999-0001", "61999990001", "(212) 555-0123", "0055 61 9"])
@pytest.mark.parametrize("country", [None, "", "Atlantis"])
def test_a_number_without_any_country_is_no_number(text: str, country: str | None) -> None:
    assert normalize_phone(text, country) is None


LINES = [
    ("+5561988887777", "+556188887777"),
    ("+5491123456789", "+541123456789"),
    ("+525512345678", "+5215512345678"),
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_has_the_same_name_in_every_spelling(line: tuple[str, str]) -> None:
    for phone in line:
        assert set(list_spellings(phone)) == set(line)
        assert list_spellings(phone)[0] == phone
    assert len({identify_line(phone) for phone in line}) == 1


@pytest.mark.parametrize("phone", ["+5561933220042", "+556133220042", "+15125550107", "nothing"])
def test_other_numbers_have_one_spelling(phone: str) -> None:
    """Without the 9, a mobile that goes on with 2 to 5 would be a landline of other people."""
    assert list_spellings(phone) == (phone,)


@pytest.mark.parametrize(
    ("phone", "personal"),
    [
        ("+5561988887777", True),
        ("+556188887777", True),
        ("+5215512345678", True),
        ("+5491123456789", True),
        ("+541123456789", False),
        ("+556133220042", False),
    ],
)
def test_a_landline_is_nobodys_own_whatever_its_other_spelling_is(
    phone: str, personal: bool
) -> None:
    assert is_personal_phone(phone) is personal


def test_a_number_is_written_with_its_country_without_and_in_brazil_without_its_area() -> None:
    assert write_forms("+5561999990001") == (
        *("5561999990001", "61999990001", "999990001"),
        *("556199990001", "6199990001", "99990001"),
    )
    assert write_forms("+556133220042") == ("556133220042", "6133220042", "33220042")
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
