"""Phone numbers, normalized to E.164 so that they can be compared."""

import re
from functools import lru_cache

import phonenumbers

BRAZIL = 55
OLD_LENGTH = 10  # area and eight digits
MOBILE = "6789"  # how eight digits of a mobile begin
PLAIN = re.compile(r"\+[1-9][0-9]{6,14}")
# Of the kinds of number, those that one person may carry. In North America a mobile looks like a
# landline, so what may be either is taken for one.
PERSONAL = {
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
}


@lru_cache(maxsize=1024)  # an opening asks for the same one three times
def normalize_phone(text: str | None, country: str | None = None) -> str | None:
    """`+5561999990000`, or None for what is no phone number; Brazil unless `country` says else.

    WhatsApp still calls many Brazilian mobiles by eight digits; since 2016 they have a ninth.
    """
    try:
        number = phonenumbers.parse(text or "", country or "BR")
    except phonenumbers.NumberParseException:
        return None
    digits = str(number.national_number)
    if number.country_code == BRAZIL and len(digits) == OLD_LENGTH and digits[2] in MOBILE:
        number.national_number = int(f"{digits[:2]}9{digits[2:]}")
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def has_extension(text: str | None, country: str | None = None) -> bool:
    """Does it lead to a switchboard first? The number in front of it is everybody's there."""
    try:
        return bool(phonenumbers.parse(text or "", country or "BR").extension)
    except phonenumbers.NumberParseException:
        return False


def is_switchboard(text: str | None, country: str | None = None) -> bool:
    """Of a company: what is not surely a mobile may be answered by anybody there."""
    phone = normalize_phone(text, country)
    mobile = phonenumbers.PhoneNumberType.MOBILE
    is_mobile = phone and phonenumbers.number_type(phonenumbers.parse(phone)) == mobile
    return has_extension(text, country) or not is_mobile


@lru_cache(maxsize=1024)
def is_personal_phone(text: str) -> bool:
    """May this number stand for one person: a plain one, as channels write it, and no landline.

    Whoever writes an extension (`x5`, `;ext=5`) or a scheme (`tel:`) beside a number has another
    text than its owner, and Chatwoot takes both.
    """
    phone = normalize_phone(text) if PLAIN.fullmatch(text) else None
    return bool(phone) and phonenumbers.number_type(phonenumbers.parse(phone or "")) in PERSONAL


def write_forms(phone: str) -> tuple[str, ...]:
    """How people write an E.164 number, in digits: with its country, without, in Brazil also
    without the area."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return ()
    national = str(number.national_number)
    local = (national[2:],) if number.country_code == BRAZIL else ()
    return (f"{number.country_code}{national}", national, *local)
