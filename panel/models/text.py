"""Texts of the outside worlds: one line, without entities, comparable."""

import html
import re
import string

TAX_ID_DIGITS = 9  # at least: an EIN has nine, a CPF eleven, a CNPJ fourteen
# Brazil's tax ids with blanks between their groups.
SPACED_TAX_ID = re.compile(
    r"\b(\d{3}[ .]\d{3}[ .]\d{3}[ -]+\d{2}|\d{2}[ .]\d{3}[ .]\d{3}[ /]+\d{4}[ -]+\d{2})\b"
)
# A CNPJ with letters (since July 2026), whose last six characters are mostly digits; and its first
# eight digits, which stand before the name of a sole trader: the rest of theirs can be computed.
TAX_ID_WORD = re.compile(
    r"[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9]{4}-?[0-9]{2}|[0-9]{2}\.[0-9]{3}\.[0-9]{3}"
)

BLANKS = re.compile("[ \t-\r\x85\u2028\u2029]+")  # not the hard blank of amounts
UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# An entity ends with a semicolon, as WordPress writes it: `AT&T` and `R&D &copy` hold none.
ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
MAIL_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
SLASHED = re.compile(r"\\(['\"])")  # quotation marks that went through `wp_slash` once too often
# WordPress's `wptexturize` writes these signs in place of plain characters.
CURLY = str.maketrans("‘’′“”″–—×\xa0", "'''\"\"\"--x ")

ASCII_LOWER_CASE = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def normalize_email(text: str | None) -> str | None:
    """Return an e-mail as it is compared and stored: without blanks around it, ASCII letters lower.

    Only ASCII is folded: `str.lower` makes a `k` of the Kelvin sign (U+212A). A look-alike of an
    address is another address, which may have another owner.
    """
    return (text or "").strip(string.whitespace).translate(ASCII_LOWER_CASE) or None


def clean(text: str) -> str:
    """Return one line without control characters or lone surrogates, which cannot be shown or
    stored.

    Marks of direction stay: names may need them, and the panel isolates shown values.
    """
    return UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", BLANKS.sub(" ", text).strip())


def decode_entities(text: str) -> str:
    """Decode `O&#8217;Brien &amp; Co` as people read it. Entities are decoded once: `&amp;amp;` is
    a text that somebody typed."""
    if "&" in text:
        text = ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return clean(SLASHED.sub(r"\1", text) if "\\" in text else text)


def is_undecoded(text: str, name: str) -> bool:
    """Tell whether the text is this name as WordPress writes it into HTML."""
    decoded = decode_entities(text)
    return decoded != text and _flatten(decoded) == _flatten(name)


def _flatten(text: str) -> str:
    return text.translate(CURLY).replace("…", "...").replace("---", "-").replace("--", "-")


def remove_tax_id(name: str) -> str:
    """Return a company's name without a tax id in it: in Brazil a sole trader's name ends with
    their CPF, or begins with their CNPJ.

    A name is shown, searched and written where a tax id may not be.
    """
    words = SPACED_TAX_ID.sub(" ", name).split()
    return " ".join(word for word in words if not _is_tax_id(word))


def _is_tax_id(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    return digits >= TAX_ID_DIGITS or bool(TAX_ID_WORD.fullmatch(word.upper()))


def remove_addresses(name: str) -> str:
    """Return a name without an e-mail in it. WordPress names a user by their address until they set
    a name, and a name is shown where an address may not be."""
    return " ".join(word for word in name.split() if not MAIL_ADDRESS.search(word))


def format_tax_id(text: str) -> str:
    """Write the bare digits of a CNPJ or CPF in their usual form; any other text unchanged."""
    if len(text) == 14 and text[-2:].isdigit() and text.isascii() and text.isalnum():
        return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"
    if len(text) == 11 and text.isascii() and text.isdigit():
        return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"
    return text
