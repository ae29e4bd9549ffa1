"""Search terms: the hits of words, and that a prefix is a range of an index."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from panel.data import db, schema
from panel.data.search_index import (
    LONGEST_QUERY,
    MOST_FOUND,
    SearchIndex,
    count_some,
    fold,
    make_terms,
    parse_query,
    select_matching,
    split_words,
)
from panel.data.search_index import terms as table

ACME = {
    "names": ["São Bento Educação", "São Bento Tecnologia Ltda"],
    "tax_id": "11.222.042/0001-90",
    "emails": ["financeiro@acme.example", "Ana.Souza@acme.example", None],
    "phones": ["+556133220042", None],
    "codes": ["PLG-202604204", None],
}


def learn(terms: SearchIndex, number: int = 42, **changes: object) -> None:
    terms.replace_terms(number, make_terms(number, **{**ACME, **changes}))  # type: ignore[arg-type]


def found(terms: SearchIndex, query: str) -> list[int]:
    return [hit.organization for hit in terms.find(query).rows]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    schema.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def terms(engine: Engine) -> SearchIndex:
    return SearchIndex(engine)


FINDING = [
    ("42", "id"),
    ("são bento", "name"),
    ("SAO  BENTO", "name"),
    ("bento são", "name"),
    ("educa", "name"),
    ("São Bento T", "name"),
    ("11.222.042/0001-90", "tax id"),
    ("11222042000190", "tax id"),
    ("ana.souza@acme.example", "email"),
    ("ANA.SOUZA@acme.example", "email"),
    ("@acme.example", "email"),
    ("+55 61 3322-0042", "phone"),
    ("(61) 3322-0042", "phone"),
    ("061 3322-0042", "phone"),
    ("6133220042", "phone"),
    ("3322-0042", "phone"),
    ("PLG-202604204", "entitlement code"),
    ("202604204", "entitlement code"),
    ("bento 11222042000190", "tax id"),
]


@pytest.mark.parametrize(("query", "kind"), FINDING)
def test_an_organization_is_found_by_everything_that_is_known_of_it(
    terms: SearchIndex, query: str, kind: str
) -> None:
    learn(terms)
    [hit] = terms.find(query).rows
    assert hit.organization == 42
    assert kind in hit.matched


@pytest.mark.parametrize(
    ("phone", "queries"),
    [
        (
            "+5561988887777",
            ["+55 61 98888-7777", "+55 61 8888-7777", "(61) 8888-7777", "061 98888-7777",
             "98888-7777", "8888-7777", "00 55 61 98888-7777"],
        ),
        ("+5491123456789", ["+54 9 11 2345-6789", "+54 11 2345-6789", "11 2345-6789"]),
        ("+541123456789", ["+54 9 11 2345-6789", "+5491123456789"]),
        ("+525512345678", ["+52 1 55 1234 5678", "+5215512345678", "55 1234 5678"]),
        ("+12125550123", ["+1 (212) 555-0123", "212-555-0123", "12125550123"]),
    ],
)  # fmt: skip
def test_a_phone_is_found_in_every_spelling(
    terms: SearchIndex, phone: str, queries: list[str]
) -> None:
    learn(terms, phones=[phone])
    for query in queries:
        assert found(terms, query) == [42], query


def test_a_national_number_is_not_taken_for_a_brazilian_one(terms: SearchIndex) -> None:
    learn(terms, phones=["+552125550123"])
    assert found(terms, "+1 (212) 555-0123") == []
    assert found(terms, "+55 21 2555-0123") == [42]


def test_words_of_a_kind_can_be_kept(terms: SearchIndex) -> None:
    learn(terms)
    changed = {"names": ["Novo"], "emails": [], "codes": []}
    terms.replace_terms(42, make_terms(42, **{**ACME, **changed}), {"email"})  # type: ignore[arg-type]
    assert found(terms, "ana.souza@acme.example") == [42]
    assert found(terms, "PLG-202604204") == []
    assert found(terms, "são bento") == []


@pytest.mark.parametrize(
    "query",
    [
        "bento x",
        "são paulo",
        "ento",
        "43",
        "99.999",
        "ana@",
        "acme.example",
        "@acme.exampl3",
        "%",
        "_",
        "b%o",
        "PLG-9",
        # A search finds no maskable value by its beginning, which could be guessed digit by digit.
        "11222042",
        "11.222",
        "1122204200019",
        "112220420001900",
        "bento 11.222",
        "ANA.SOUZA@",
        "ana.souza@acme.exampl",
        "financeiro@acme",
        "@acme",
        "61332200",
        "3322-004",
        "+55 61 3322-004",
        "plg-2026",
        "20260420",
    ],
)
def test_what_does_not_fit_finds_nothing(terms: SearchIndex, query: str) -> None:
    learn(terms)
    assert found(terms, query) == []


def test_every_word_must_fit_the_same_organization(terms: SearchIndex) -> None:
    learn(terms, 1, names=["Escola Norte"])
    learn(terms, 2, names=["Escola Sul"])
    assert found(terms, "escola") == [1, 2]
    assert found(terms, "escola sul") == [2]
    assert found(terms, "norte sul") == []


def test_the_named_id_comes_first_and_whole_words_before_beginnings(terms: SearchIndex) -> None:
    for number in (4, 42, 420):
        terms.replace_terms(number, make_terms(number, ["Escola"], None, [], [], []))
    terms.replace_terms(900, make_terms(900, ["Escola 42"], None, [], [], []))
    assert found(terms, "42") == [42, 900, 420]
    assert found(terms, "4")[0] == 4


def test_a_hundred_that_fit_are_ten_and_the_word_that_there_are_more(terms: SearchIndex) -> None:
    for number in range(1, MOST_FOUND + 2):
        terms.replace_terms(number, make_terms(number, ["Escola"], None, [], [], []))
    hits = terms.find("escola")
    assert (len(hits.rows), hits.more) == (MOST_FOUND, True)
    terms.forget(3)
    hits = terms.find("escola")
    assert (len(hits.rows), hits.more) == (MOST_FOUND, False)


def test_what_is_learned_anew_replaces_what_was_known(terms: SearchIndex) -> None:
    learn(terms)
    learn(terms, names=["Acme Ltda"], emails=[])
    assert found(terms, "bento") == found(terms, "ana.souza@acme.example") == []
    assert found(terms, "acme") == found(terms, "11.222.042/0001-90") == [42]
    terms.forget(42)
    assert found(terms, "acme") == []


@pytest.mark.parametrize("query", ["", " ", "a", "é", "-", "a b", "  x  ", "%", "\x00"])
def test_too_little_asks_nobody(query: str) -> None:
    assert parse_query(query) == []


def test_a_single_digit_is_a_number_and_asks() -> None:
    assert parse_query("7") == [["7"]]


@given(st.text(max_size=300))
def test_any_text_at_all_is_a_query(query: str) -> None:
    for alternatives in parse_query(query):
        assert all(word and len(word) <= LONGEST_QUERY * 20 for word in alternatives)


@given(st.text(max_size=60))
def test_words_are_folded_the_same_however_they_are_written(text: str) -> None:
    assert split_words(fold(text)) == split_words(text)


def test_ten_thousand_organizations_are_searched_by_a_range_of_an_index(engine: Engine) -> None:
    rows = [
        {"word": word, "organization": number, "kind": "name"}
        for number in range(10_000)
        for word in ("escola", "ltda", f"nome{number:05d}")
    ]
    with engine.begin() as connection:
        connection.execute(table.insert(), rows)
        for query in ("nome0777", "escola nome0777", "ltda escola"):
            first, *rest = parse_query(query)
            for search_query in (select_matching(first, rest), count_some(first)):
                statement = search_query.compile(
                    engine, compile_kwargs={"render_postcompile": True}
                )
                text = f"EXPLAIN QUERY PLAN {statement}"
                values = tuple(statement.params[name] for name in statement.positiontup or ())
                plan = [row[3] for row in connection.exec_driver_sql(text, values)]
                ranges = [step for step in plan if "word>? AND word<?" in step]
                assert ranges, plan
                assert not [step for step in plan if step.startswith("SCAN terms")], plan
    started_at = time.monotonic()
    assert found(SearchIndex(engine), "escola nome07777") == [7777]
    assert len(SearchIndex(engine).find("escola").rows) == MOST_FOUND
    assert time.monotonic() - started_at < 5
