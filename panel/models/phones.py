"""Phone numbers, normalized to E.164, and the spellings of one number.

A number without its country is read with the given one. A number without any country is not used,
because the same digits belong to other people elsewhere.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

BRAZIL, ARGENTINA, MEXICO = 55, 54, 52
DIALLED_ABROAD = re.compile(r"[\s(]*\+?[\s(]*0[\s.-]?0(?=[\s().-]*[1-9])")
PLAIN = re.compile(r"\+[1-9][0-9]{6,14}")
# The kinds of number that one person may carry. In North America a mobile looks like a landline, so
# a number that may be either counts as one.
PERSONAL = {
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
}


@dataclass(frozen=True)
class OptionalDigit:
    """A digit that some spellings of the same number have, and others leave out.

    `short`: the national number without it; `at`: the number of digits before it; `usual`: whether
    it is written today, None where both spellings are valid and belong to different lines.
    """

    digit: str
    at: int
    short: re.Pattern[str]
    usual: bool | None


# A row for each country.
SPELLINGS = {
    # Mobiles have had a ninth digit since 2016, and WhatsApp still writes many with eight. The
    # ninth digit is followed by 6 to 9: landlines, which belong to other people, begin with 2 to 5.
    BRAZIL: OptionalDigit("9", 2, re.compile(r"[1-9]{2}[6-9][0-9]{7}"), usual=True),
    # From abroad a mobile has a 9 before its area, which many leave out; WhatsApp writes it.
    ARGENTINA: OptionalDigit("9", 0, re.compile(r"[1-3][0-9]{9}"), usual=None),
    # Until 2019 a mobile had a 1 from abroad; WhatsApp writes it still.
    MEXICO: OptionalDigit("1", 0, re.compile(r"[2-9][0-9]{9}"), usual=False),
}


@lru_cache(maxsize=1024)  # an opening asks for the same one three times
def normalize_phone(text: str | None, country: str | None = None) -> str | None:
    """Return `+5561999990000`, or None for a text that is no phone number.

    `country`: ISO 3166, for a number that is written without its own.
    """
    number = _parse(text, country)
    if number is None:
        return None
    both, row = _spell(number), SPELLINGS.get(number.country_code or 0)
    if row and row.usual is not None and len(both) > 1:
        number.national_number = int(max(both, key=len) if row.usual else min(both, key=len))
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=1024)
def list_spellings(phone: str) -> tuple[str, ...]:
    """Return every spelling of an E.164 number in E.164, the given one first."""
    number = _parse(phone)
    if number is None:
        return (phone,)
    return tuple(f"+{number.country_code}{national}" for national in _spell(number))


def identify_line(phone: str) -> str:
    """Return the same text for every spelling of a number."""
    return min(list_spellings(phone))


def _parse(text: str | None, country: str | None = None) -> phonenumbers.PhoneNumber | None:
    """Read a number with the country's own way of dialling. Where that is another way than 00 for
    abroad, people write `0055 …` all the same: in Brazil it would be a carrier and then a
    country."""
    number = _parse_as(text, country)
    opening = DIALLED_ABROAD.match(text or "")
    if not opening or not country:
        return number
    foreign = _parse_as("+" + (text or "")[opening.end() :], None)
    if foreign and foreign.country_code == phonenumbers.country_code_for_region(country):
        return foreign
    # Where the other reading is a number too, the digits may belong to other people.
    is_other = foreign and foreign != number and phonenumbers.is_valid_number(foreign)
    return None if is_other else number


def _parse_as(text: str | None, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text or "", country)
    except phonenumbers.NumberParseException:
        return None


def _spell(number: phonenumbers.PhoneNumber) -> tuple[str, ...]:
    """Return the national numbers of all spellings, the given one first."""
    national, row = str(number.national_number), SPELLINGS.get(number.country_code or 0)
    if row is None:
        return (national,)
    if row.short.fullmatch(national):
        return (national, national[: row.at] + row.digit + national[row.at :])
    shorter = national[: row.at] + national[row.at + 1 :]
    optional = national[row.at : row.at + 1] == row.digit
    return (national, shorter) if optional and row.short.fullmatch(shorter) else (national,)


def has_extension(text: str | None, country: str | None = None) -> bool:
    """Tell whether the number leads to a switchboard, which is shared by a whole company."""
    number = _parse(text, country)
    return bool(number and number.extension)


def is_switchboard(text: str | None, country: str | None = None) -> bool:
    """Tell whether a company's number may be answered by anybody there: any but a sure mobile."""
    phone = normalize_phone(text, country)
    mobile = phonenumbers.PhoneNumberType.MOBILE
    is_mobile = phone and phonenumbers.number_type(phonenumbers.parse(phone)) == mobile
    return has_extension(text, country) or not is_mobile


@lru_cache(maxsize=1024)
def is_personal_phone(text: str) -> bool:
    """Tell whether this number may stand for one person: a plain one, as channels write it, and no
    landline.

    A text with an extension (`x5`, `;ext=5`) or a scheme (`tel:`) does not count. Chatwoot takes it
    for another phone than the plain number, so a stranger's contact may have it too. In Argentina
    only the spelling with the 9 counts, for the one without is a landline's.
    """
    phone = normalize_phone(text) if PLAIN.fullmatch(text) else None
    return bool(phone) and phonenumbers.number_type(phonenumbers.parse(phone or "")) in PERSONAL


def write_forms(phone: str) -> tuple[str, ...]:
    """Return the forms in which people write an E.164 number, in digits: with its country, without,
    in Brazil also without the area; each in every spelling."""
    number = _parse(phone)
    if number is None:
        return ()
    forms: list[str] = []
    for national in _spell(number):
        local = (national[2:],) if number.country_code == BRAZIL else ()
        forms += (f"{number.country_code}{national}", national, *local)
    return tuple(forms)
