"""Bodies of answers: read before a deadline, up to a size, and decoded; of large ones, only some
parts.

A large answer is decoded into a struct that names the needed fields. Its other fields are never
built.
"""

import codecs
import json
import threading
from typing import Any

import msgspec

from panel import exact_json
from panel.deadline import Deadline
from panel.errors import Unreachable, Unreadable

LARGEST_ANSWER = 2 * 1024 * 1024
LARGEST_IN_PARTS = 16 * 1024 * 1024  # of an answer of which only a few parts are built
LARGE_AT_ONCE = 4  # answers above `LARGEST_ANSWER` that a process holds at the same time
LONGEST_WHOLE = 4000  # digits; longer ones msgspec does not read

_large_answers = threading.BoundedSemaphore(LARGE_AT_ONCE)


class BodyReader:
    """Reads bodies before the deadline; a large one keeps its turn until the reader is closed."""

    def __init__(self, by: Deadline) -> None:
        self._by = by
        self._is_large = False

    def __enter__(self) -> "BodyReader":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_large:
            _large_answers.release()

    def read(self, response: Any, largest: int) -> bytearray:
        """Return the whole body of an answer, decompressed; `response` is one of `requests`. Raises
        `Unreadable` above `largest` bytes.
        """
        raw: Any = response.raw
        raw._original_response.until(self._by)  # a `TimelyAnswer`
        body = bytearray()
        for chunk in response.iter_content(65536):
            body += chunk
            if len(body) > largest:
                raise Unreadable("too_large", f"more than {largest} bytes")
            if len(body) > LARGEST_ANSWER and not self._is_large:
                self._wait_for_turn()
        if not self._by.left():
            raise Unreachable("timeout", "the body took too long")
        return body

    def _wait_for_turn(self) -> None:
        """Wait, so that many large answers at once do not fill the memory of the process."""
        if not _large_answers.acquire(timeout=self._by.left()):
            raise Unreachable("timeout", "other large answers are being read")
        self._is_large = True


def decode_parts(raw: bytearray, shape: type[msgspec.Struct]) -> tuple[Any, bool]:
    try:
        return _unpack(msgspec.json.decode(raw, type=shape)), True
    except msgspec.ValidationError as error:
        raise Unreadable("wrong_shape", str(error)) from None  # msgspec's text names no value
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, False


def _unpack(part: Any) -> Any:
    """Return plain JSON of decoded parts; an absent field is left out."""
    if isinstance(part, msgspec.Raw):
        body, readable = decode(bytes(part))
        if not readable:
            raise Unreadable("unreadable", "a part that is not JSON")
        return body
    if isinstance(part, list):
        return [_unpack(item) for item in part]
    if isinstance(part, msgspec.Struct):
        fields = {name: getattr(part, name) for name in part.__struct_fields__}
        return {
            name: _unpack(field) for name, field in fields.items() if field is not msgspec.UNSET
        }
    return part


def decode(raw: bytes | bytearray) -> tuple[Any, bool]:
    raw = _skip_byte_order_marks(raw)
    if not raw:
        return None, True
    try:
        return exact_json.decode(raw), True
    except exact_json.UNDECODABLE:
        return _decode_huge_numbers(raw)


def _skip_byte_order_marks(raw: bytes | bytearray) -> bytes | bytearray:
    """Remove the byte order marks and blank lines that PHP files put out before the JSON.

    Several files may each put out their own mark, so that they stand one behind another.
    """
    rest = raw.strip()
    while rest.startswith(codecs.BOM_UTF8):
        rest = rest.removeprefix(codecs.BOM_UTF8).strip()
    return rest


def _decode_huge_numbers(raw: bytes | bytearray) -> tuple[Any, bool]:
    """Decode JSON with a number of thousands of digits: the number becomes a text.

    A visitor can write such a number into an attribute, and must not keep everybody from reading
    the rest. Code that needs a number there rejects the text, so the value does not count as
    absent.
    """
    try:
        body = json.loads(
            raw,
            parse_int=_parse_whole,
            parse_float=exact_json.parse_fraction,
            parse_constant=_refuse_constant,
        )
        exact_json.encode(body)  # raises for a half of a surrogate pair, which is no text
    except (ValueError, RecursionError):
        return None, False
    return body, True


def _parse_whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_WHOLE else digits


def _refuse_constant(text: str) -> None:
    """Reject `NaN` and `Infinity`, which are no JSON."""
    raise ValueError(text)
