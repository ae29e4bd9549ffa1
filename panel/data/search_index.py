"""The search index: words with their organizations (an inverted index, table `terms`).

A query is cut into words as the texts were, and an organization must have them all. A word of the
query matches names and ids as a prefix, hence as a range of the index. Values that the mask may
hide match as whole words only: by prefixes they could be guessed digit by digit. Upper case and
accents make no difference.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from panel.data.db import metadata, transaction
from panel.models.phones import normalize_phone, write_forms
from panel.models.text import clean

BY_ID, BY_NAME, BY_TAX_ID = "id", "name", "tax id"
BY_EMAIL, BY_PHONE, BY_ENTITLEMENT = "email", "phone", "entitlement code"
# Even a phone's last five digits could be guessed in a minute. A person who searches by one of
# these has it in full: from the customer, from Chatwoot, from a document.
WHOLE_WORDS = frozenset({BY_TAX_ID, BY_EMAIL, BY_PHONE, BY_ENTITLEMENT})
LONGEST_WORD = 200
LONGEST_QUERY = 100
MOST_WORDS = 6
MOST_FOUND = 10
MOST_SEEN = 200  # rows of the index for one word; an organization has a few of the same beginning
COMMON = 300
LAST_CHARACTER = "\U0010ffff"  # sorts behind every continuation of a word
# A CNPJ, since July 2026 with letters too: as it is written, or without its signs.
CNPJ = re.compile(r"[0-9a-z]{2}\.?[0-9a-z]{3}\.?[0-9a-z]{3}/?[0-9a-z]{4}-?[0-9]{2}")
ID = re.compile("[0-9]{1,18}")

# Sorted by bytes in both databases: a range of prefixes needs an order without a language.
terms = Table(
    "terms",
    metadata,
    Column("word", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("organization", BigInteger, primary_key=True, index=True),
    Column("kind", String(16), nullable=False),
)


@dataclass(frozen=True)
class Hit:
    """`matched`: the words that were found, by their kind (`name`, `email`, `tax id`, …)."""

    organization: int
    matched: dict[str, str]


@dataclass(frozen=True)
class Hits:
    """`more`: there are further hits."""

    rows: tuple[Hit, ...] = ()
    more: bool = False


def fold(text: str) -> str:
    """Remove case and accents: `São` and `SAO` become the same."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))


def split_words(text: str) -> list[str]:
    """Cut a text into words. E-mails stay whole, and `@acme` is a domain. A token without letters
    becomes its digits. Other tokens are cut at every sign."""
    words: list[str] = []
    for token in fold(text).split():
        if "@" in token:
            words.append(token)
        elif any(character.isalpha() for character in token):
            words += re.findall(r"[^\W_]+", token)
        else:
            words.append(_keep_digits(token))
    return [word[:LONGEST_WORD] for word in dict.fromkeys(words) if word]


def parse_query(query: str) -> list[list[str]]:
    """Return the words of a query, each with its alternatives; empty where the query is too short.

    A number that is written with blanks is one word. Such a number may be a phone, of which the
    index has every spelling. A number with a leading 0, which is not dialled from abroad, is also
    tried without the 0.
    """
    query = clean(query[:LONGEST_QUERY])
    digits = _keep_digits(query)
    if digits and not any(character.isalpha() for character in query) and "@" not in query:
        spellings = (_keep_digits(normalize_phone(query) or ""), digits.lstrip("0"))
        return [list(dict.fromkeys([digits, *filter(None, spellings)]))]
    if CNPJ.fullmatch(whole := "".join(fold(query).split())):
        return [[_keep_signless(whole)]]
    words = [[word] for word in split_words(query)[:MOST_WORDS]]
    return words if any(len(word) > 1 for [word] in words) else []


def _keep_digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _keep_signless(text: str) -> str:
    return "".join(re.findall(r"[^\W_]", text))


def _join_signed(text: str) -> Iterator[str]:
    """Yield words like `O'Brien` and `S.A.` without their signs, as people also write them."""
    for token in fold(text).split():
        if any(character.isalpha() for character in token) and "@" not in token:
            yield _keep_signless(token)


def make_terms(
    organization: int,
    names: Iterable[str | None],
    tax_id: str | None,
    emails: Iterable[str | None],
    phones: Iterable[str | None],
    codes: Iterable[str | None],
) -> dict[str, str]:
    """Return every word by which this organization shall be found, with its kind. `phones` in
    E.164."""
    pairs = [*((word, BY_ENTITLEMENT) for word in _split_all(codes))]
    pairs += [(form, BY_PHONE) for phone in phones if phone for form in write_forms(phone)]
    for email in filter(None, emails):
        pairs += [(fold(email), BY_EMAIL), ("@" + fold(email).partition("@")[2], BY_EMAIL)]
    if tax_id:
        pairs += [
            (_keep_digits(tax_id), BY_TAX_ID),
            (_keep_signless(fold(tax_id)), BY_TAX_ID),
        ]
    # The last kind of a word counts. So a word of the name counts as the name's, even if it is of
    # other kinds too.
    texts = [text for text in names if text]
    pairs += [(word, BY_NAME) for text in texts for word in _join_signed(text)]
    pairs += [*((word, BY_NAME) for word in _split_all(texts)), (str(organization), BY_ID)]
    return {word[:LONGEST_WORD]: kind for word, kind in pairs if word}


def _split_all(texts: Iterable[str | None]) -> Iterator[str]:
    for text in texts:
        yield from split_words(text or "")


class SearchIndex:
    """Raises `Unreachable("database")` when the database cannot be asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace_terms(
        self, organization: int, words: Mapping[str, str], kept_kinds: Collection[str] = ()
    ) -> None:
        """Replace the words of this organization; words that stay the same are not written.

        `kept_kinds`: kinds whose words stay although they are not among the new ones.
        """
        of_organization = terms.c.organization == organization
        with transaction(self._engine) as connection:
            query = select(terms.c.word, terms.c.kind).where(of_organization)
            before = {row.word: row.kind for row in connection.execute(query)}
            stays = {
                word for word, kind in before.items() if kind in kept_kinds and word not in words
            }
            obsolete = [word for word, kind in before.items() if words.get(word) != kind]
            obsolete = [word for word in obsolete if word not in stays]
            new = [word for word, kind in words.items() if before.get(word) != kind]
            for at in range(0, len(obsolete), 500):
                some = terms.c.word.in_(obsolete[at : at + 500])
                connection.execute(delete(terms).where(of_organization, some))
            rows = [{"word": w, "organization": organization, "kind": words[w]} for w in new]
            if rows:
                connection.execute(terms.insert(), rows)

    def forget(self, organization: int) -> None:
        with transaction(self._engine) as connection:
            connection.execute(delete(terms).where(terms.c.organization == organization))

    def find(self, query: str) -> Hits:
        """Return the first `MOST_FOUND` organizations that have every word: hits by id first, then
        by whole words, then the rest."""
        words = parse_query(query)
        if not words:
            return Hits()
        with transaction(self._engine) as connection:
            first, *rest = _put_rarest_first(connection, words)
            numbers = list(connection.scalars(select_matching(first, rest)))
            ranges = or_(*(_match(alternatives) for alternatives in words))
            why = select(terms.c.organization, terms.c.kind, func.min(terms.c.word)).where(
                terms.c.organization.in_(numbers[:MOST_FOUND]), ranges
            )
            reasons = why.group_by(terms.c.organization, terms.c.kind)
            matches: dict[int, dict[str, str]] = {number: {} for number in numbers[:MOST_FOUND]}
            for number, kind, word in connection.execute(reasons):
                matches[number][kind] = word
        rows = tuple(Hit(number, kinds) for number, kinds in matches.items())
        return Hits(rows, len(numbers) > MOST_FOUND)


def _put_rarest_first(connection: Connection, words: list[list[str]]) -> list[list[str]]:
    """Sort the words by rarity: the other words are looked up only for the hits of the first
    one."""
    if len(words) == 1:
        return words
    counts = {
        id(alternatives): connection.scalar(count_some(alternatives)) for alternatives in words
    }
    return sorted(words, key=lambda alternatives: (counts[id(alternatives)], -len(alternatives[0])))


def count_some(alternatives: list[str]) -> Select[Any]:
    """Count the organizations with this word, up to `COMMON`."""
    some = select(terms.c.organization).where(_match(alternatives)).limit(COMMON).subquery()
    return select(func.count()).select_from(some)


def select_matching(first: list[str], rest: list[list[str]]) -> Select[Any]:
    """Select ids of the organizations that have all words, the likeliest first, and at most one
    more than is shown. For a word that thousands have, only `MOST_SEEN` rows are read."""
    conditions = [_has_any_of(alternatives) for alternatives in rest]
    whole, ids = terms.c.word.in_(first), [int(word) for word in first if ID.fullmatch(word)]
    # The exact id has a SELECT of its own: among all whole words it could come too late. It names
    # the organization: otherwise every row of a word that thousands have would be read.
    arms = [(0, and_(whole, terms.c.kind == BY_ID, terms.c.organization.in_(ids)))] if ids else []
    arms += [(1, whole)]
    arms += [(2, _match_beginning(word)) for word in first]
    queries = [
        select(terms.c.organization, literal(at, Integer).label("at"))
        .where(arm, *conditions)
        .order_by(terms.c.word, terms.c.organization)
        .limit(MOST_SEEN)
        .subquery()
        for at, arm in arms
    ]
    every = union_all(*(select(query) for query in queries)).subquery()
    best = select(every.c.organization).group_by(every.c.organization)
    return best.order_by(func.min(every.c.at), every.c.organization).limit(MOST_FOUND + 1)


def _has_any_of(alternatives: list[str]) -> ColumnElement[bool]:
    other = terms.alias()
    same = other.c.organization == terms.c.organization
    return exists(select(other.c.word).where(same, _match(alternatives, other)))


def _match(alternatives: list[str], table: FromClause = terms) -> ColumnElement[bool]:
    whole = table.c.word.in_(alternatives)
    return or_(whole, *(_match_beginning(alternative, table) for alternative in alternatives))


def _match_beginning(word: str, table: FromClause = terms) -> ColumnElement[bool]:
    """Match longer words that begin with this one, of the kinds for which a beginning is enough."""
    open_kind = table.c.kind.not_in(sorted(WHOLE_WORDS))
    return and_(table.c.word > word, table.c.word < word + LAST_CHARACTER, open_kind)
