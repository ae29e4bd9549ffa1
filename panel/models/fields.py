"""The fields of one record, read one by one; odd values are noted as oddities.

An odd value does not spoil the other fields. An odd value that decides something stays as
`Illegible`; any other counts as not stated.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from panel.errors import Unreadable
from panel.models.dates import read_date
from panel.models.money import Amount, read_amount, read_currency
from panel.models.text import clean, decode_entities, remove_addresses, remove_tax_id
from panel.models.values import (
    NO_STATUS,
    Illegible,
    Oddity,
    Row,
    Status,
    is_nothing,
    make_illegible,
    read_list,
    read_status,
    read_whole,
    write_number,
)

T = TypeVar("T")

PLAIN_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>,;]+")
LONGEST_EMAIL_TEXT = 255  # characters, of a contact in Chatwoot
FLAGS = {"1": True, "true": True, "yes": True, "": False, "0": False, "false": False, "no": False}


class Fields:
    """One record. `oddities` grow with each field that is read."""

    def __init__(self, row: Row) -> None:
        """Raises `Unreadable("wrong_shape")` for a record without an id."""
        number = read_whole(row, "id")
        if number is None:
            raise Unreadable("wrong_shape", "a record without an id")
        self.id = number
        self._row = row
        self._oddities: list[Oddity] = []

    @property
    def oddities(self) -> tuple[Oddity, ...]:
        return tuple(self._oddities)

    def has(self, key: str) -> bool:
        return key in self._row

    def text(self, *keys: str) -> str | None:
        """Return the first of these fields with a text, without HTML's entities."""
        return self._first(keys, decode_entities)

    def verbatim(self, *keys: str) -> str | None:
        """Like `text`, with every character as it came: for an e-mail, a key."""
        return self._first(keys, clean)

    def email(self) -> str | None:
        """Return an address alone: Chatwoot refuses one with a name or with another beside it."""
        email = self.verbatim("email")
        if email and not (PLAIN_EMAIL.fullmatch(email) and len(email) <= LONGEST_EMAIL_TEXT):
            self.note("email", "no e-mail")
            return None
        return email

    def title(self, key: str) -> str | None:
        """Return a name, without a tax id and without an e-mail in it."""
        return remove_addresses(remove_tax_id(self.text(key) or "")) or None

    def name(self, key: str) -> str | None:
        """Return a name, also the `name` of an object that stands in its place."""
        value = self._row.get(key)
        name = value.get("name") if isinstance(value, dict) else value
        if isinstance(name, str):
            return decode_entities(name) or None
        if name is not None and not is_nothing(value):
            self.note(key, "no name")  # a number is the id of a record whose name we cannot know
        return None

    def whole(self, key: str) -> int | None:
        number = read_whole(self._row, key)
        if number is None and not is_nothing(self._row.get(key)):
            self.note(key, "no whole number")
        return number

    def limit(self, key: str) -> tuple[int | None, bool]:
        """Return the number, and whether there is no limit; None and False where it is not stated.

        The form of "no limit" is not documented: null, 0 and -1 count as it, and no other value.
        """
        number = self.whole(key)
        unlimited = number in (0, -1) or (self.has(key) and self._row[key] is None)
        if number is not None and number < -1:
            self.note(key, "no limit that is known")
        return number if number and number > 0 else None, unlimited

    def status(self, key: str = "status") -> Status | Illegible:
        return self._keep_illegible(key, read_status) or NO_STATUS

    def optional_status(self, key: str) -> Status | Illegible | None:
        return self._keep_illegible(key, read_status)

    def end(self, key: str) -> date | Illegible | None:
        """Return a day or a moment, None for no end."""
        return self._keep_illegible(key, read_date)

    def moment(self, *keys: str) -> date | None:
        """Return the first of these fields with a date; an odd one counts as not stated."""
        for key in keys:
            moment = self._keep_illegible(key, read_date)
            if moment and not isinstance(moment, Illegible):
                return moment
        return None

    def amount(self, key: str, reading: str) -> Amount | None:
        """`reading`: of a whole number."""
        currency = self._row.get("currency")
        if not isinstance(currency, str) and not is_nothing(currency):
            self.note("currency", "no text")

        def read(value: Any) -> Amount | None:
            return read_amount(value, read_currency(currency), reading)

        return self._keep_illegible(key, read)

    def texts(self, key: str, field: str = "") -> tuple[str, ...]:
        """Return the texts of a list, or this field of its objects; odd ones are left out."""
        value = self._row.get(key)
        if is_nothing(value):
            return ()
        try:
            each_of = read_list(value)
        except Unreadable:
            self.note(key, "not a list")
            return ()
        items = (item.get(field) if isinstance(item, dict) else item for item in each_of)
        decoded = (decode_entities(item) for item in items if isinstance(item, str))
        return tuple(text for text in decoded if text)

    def flag(self, key: str) -> bool | None:
        """Return yes or no, in whatever form PHP writes it; None where it is not stated."""
        value = self._row.get(key)
        if key not in self._row or value is None:
            return None
        if isinstance(value, str):
            return FLAGS.get(value.strip().lower())
        return bool(value) if isinstance(value, bool | int | Decimal) else None

    def adopt(self, part: "Fields") -> None:
        """Add the oddities of a part of the record to the record's own."""
        self._oddities += part.oddities

    def note(self, field: str, reason: str) -> None:
        self._oddities.append(Oddity(str(self.id), field, reason))

    def _first(self, keys: tuple[str, ...], convert: Callable[[str], str]) -> str | None:
        for key in keys:
            value = self._row.get(key)
            if isinstance(value, str) and (text := convert(value)):
                return text
            # PHP's JSON_NUMERIC_CHECK makes a number of every text that looks like one.
            number = write_number(value)
            if number:
                return number
            if not isinstance(value, str) and value and not is_nothing(value):
                self.note(key, "no text")
        return None

    def _keep_illegible(self, key: str, convert: Callable[[Any], T]) -> T | Illegible:
        value = self._row.get(key)
        try:
            return convert(value)
        except ValueError as error:
            self.note(key, str(error))
            return make_illegible(value)
