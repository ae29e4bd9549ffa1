"""Countries by code, read from a code or a name."""

import unicodedata
from functools import cache, lru_cache

from babel.core import Locale, get_global

LANGUAGES = ("en", "pt_BR")  # in which the back office may name a country
FURTHER_NAMES = {  # that people write in forms, and CLDR does not
    "eua": "US",
    "u.s.a.": "US",
    "united states of america": "US",
    "estados unidos da america": "US",
}


@lru_cache(maxsize=256)
def find_country(text: str) -> str:
    """Return the ISO 3166 code of `br`, `BRA`, `Brasil` or `Brazil`; any other text unchanged."""
    code = text.upper()
    aliases = get_global("territory_aliases").get(code, [])
    if len(aliases) == 1:
        return str(aliases[0])
    return code if len(code) == 2 else _load_names().get(_flatten(text), text)


@cache
def _load_names() -> dict[str, str]:
    names = {
        _flatten(name): code
        for language in LANGUAGES
        for code, name in Locale.parse(language).territories.items()
        if len(code) == 2 and code.isalpha()
    }
    return names | FURTHER_NAMES


def _flatten(name: str) -> str:
    """Remove case and accents, which forms leave out."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))
