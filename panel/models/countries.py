"""Countries by code, read from a code or a name."""

from functools import cache, lru_cache

from babel.core import Locale, get_global

LANGUAGES = ("en", "pt_BR")  # in which the back office may name a country


@lru_cache(maxsize=256)
def find_country(text: str) -> str:
    """Return the ISO 3166 code of `br`, `BRA`, `Brasil` or `Brazil`; any other text unchanged."""
    code = text.upper()
    if len(code) == 2:
        return code
    aliases = get_global("territory_aliases").get(code, [])
    return aliases[0] if len(aliases) == 1 else _load_names().get(text.casefold(), text)


@cache
def _load_names() -> dict[str, str]:
    return {
        name.casefold(): code
        for language in LANGUAGES
        for code, name in Locale.parse(language).territories.items()
        if len(code) == 2 and code.isalpha()
    }
