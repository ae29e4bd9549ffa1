"""JSON whose numbers stay what was written: a fraction becomes a `Decimal`, never a binary float.

PHP writes amounts as JSON numbers, and what is kept of an answer must bring back the same digits.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what `decode` raises


def parse_fraction(text: str) -> Decimal | str:
    """Return the number; its text where `Decimal` cannot hold it (an exponent of nineteen
    digits)."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_decoder = msgspec.json.Decoder(float_hook=parse_fraction)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(raw: bytes | bytearray) -> Any:
    """Raises one of `UNDECODABLE`."""
    return _decoder.decode(raw)


def encode(value: Any) -> bytes:
    return _encoder.encode(value)
