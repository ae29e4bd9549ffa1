"""Lists, ids, statuses and texts in PHP's forms; odd values of a record are noted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel import exact_json
from panel.errors import Unreadable
from panel.models.countries import find_country
from panel.models.fields import Fields
from panel.models.licenses import Entitlement, License
from panel.models.money import find_rule
from panel.models.orders import Order, Quote
from panel.models.text import clean, decode_entities, format_tax_id, is_undecoded
from panel.models.values import (
    LONGEST_ILLEGIBLE,
    Illegible,
    Oddity,
    Status,
    make_illegible,
    read_list,
    read_status,
    read_whole,
)
from tests.models.json_values import json_values

ROW: dict[str, Any] = {"id": 1}


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ([], []),
        ([{"id": 1}, None], [{"id": 1}, None]),
        ({"0": "a", "2": "b"}, ["a", "b"]),  # holes after `array_filter`
        ({"1093": "a", "7": "b"}, ["a", "b"]),  # keyed by item id
    ],
)
def test_an_object_keyed_by_digits_is_a_list(value: object, items: list[object]) -> None:
    assert read_list(value) == items


@pytest.mark.parametrize("value", [None, {}, "rows", 3, True, {"0": 1, "x": 2}, {"-1": 1}, {"": 1}])
def test_nothing_else_is_a_list(value: object) -> None:
    with pytest.raises(Unreadable, match="wrong_shape"):
        read_list(value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("501", 501), ('"501"', 501), ("501.0", 501), ("-3", -3), ('"-3"', -3), ("5.01E+2", 501),
        ("501.5", None), ('"501.0"', None), ('"x"', None), ('""', None), ("true", None),
        ("null", None), ("[]", None), ("{}", None), ("1E+400", None), ('"' + "9" * 19 + '"', None),
        ("9" * 18, 10**18 - 1), ("9" * 19, None), ("-" + "9" * 19, None), ("9" * 400, None),
    ],
)  # fmt: skip
def test_a_whole_number_may_be_digits_in_a_text_or_have_a_zero_fraction(
    text: str, number: int | None
) -> None:
    assert read_whole({"id": exact_json.decode(text.encode())}, "id") == number


@pytest.mark.parametrize("value", [None, "", "x", "1.0", 1.5, True, [], {}])
def test_a_record_without_an_id_is_unreadable(value: object) -> None:
    with pytest.raises(Unreadable, match="wrong_shape"):
        Fields({"id": value})


# -- statuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("on-hold", "on-hold"), ("wc-on-hold", "on-hold"), ("On Hold", "on-hold"),
        ("on_hold", "on-hold"), ("wc-On Hold", "on-hold"), ("Processing", "processing"),
        (" pending ", "pending"), ("awaiting-shipment", "awaiting-shipment"),
        ("Ativo", "active"), ("Ativa", "active"), ("ATIVA", "active"), ("Publicado", "publish"),
        ("Concluído", "completed"), ("conclu&iacute;do", "completed"), ("Pendente", "pending"),
        ("Rascunho", "draft"), ("Arquivado", "archived"), ("Inativa", "inactive"),
        ("Erro", "error"), ("Falhou", "failed"), ("canceled", "cancelled"),
        ("Em análise", "em-análise"),
    ],
)  # fmt: skip
def test_a_status_is_compared_in_one_spelling_and_kept_as_it_came(raw: str, value: str) -> None:
    assert read_status(raw) == Status(value, decode_entities(raw))


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_status_may_not_be_stated(value: object) -> None:
    assert read_status(value) is None
    assert Fields({**ROW, "status": value}).status() == Status("unknown", "")


@pytest.mark.parametrize("value", [3, 0, True, False, [], {}, {"value": "active"}])
def test_a_status_that_is_no_text_is_unreadable(value: object) -> None:
    fields = Fields({**ROW, "status": value})
    assert isinstance(fields.status(), Illegible)
    assert fields.oddities == (Oddity("1", "status", "no status"),)


# -- unreadable values -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "illegible"),
    [
        ("soon", Illegible("soon")),
        ("x" * LONGEST_ILLEGIBLE, Illegible("x" * 40)),
        ("x" * 41, Illegible("x" * 40, cut=True)),
        ("a\x00b\nc", Illegible("a\ufffdb c")),
        (False, Illegible("false")),
        (exact_json.decode(b"1E+400"), Illegible("1E+400")),
        ([1], Illegible("[1]", compound=True)),
        ({"a": "b" * 50}, Illegible('{"a":"' + "b" * 34, cut=True, compound=True)),
    ],
)
def test_what_came_is_kept_to_be_shown_as_far_as_forty_characters(
    value: object, illegible: Illegible
) -> None:
    assert make_illegible(value) == illegible


# -- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Aurora &amp; Filhos", "Aurora & Filhos"),
        ("O&#8217;Brien Learning, LLC", "O’Brien Learning, LLC"),
        ("O&#x27;Brien", "O'Brien"),
        ("&#8220;Escola&#8221; S&atilde;o Jo&atilde;o", "“Escola” São João"),
        ("A &amp;amp; B", "A &amp; B"),  # once
        ("AT&T and R&D &copy 2026", "AT&T and R&D &copy 2026"),  # no entity without its semicolon
        ("A&nbsp;B", "A\xa0B"),
        ("A &unknown; B", "A &unknown; B"),
        ("A&#10;B&#0;C", "A B\ufffdC"),
        ("Padaria d\\'Aula", "Padaria d'Aula"),
        ("C:\\temp", "C:\\temp"),
    ],
)
def test_entities_are_decoded_once(value: str, text: str) -> None:
    assert decode_entities(value) == text
    assert Fields({**ROW, "city": value}).text("city") == text


@pytest.mark.parametrize("value", ["a&amp;b@example.com", "d\\'a@example.com"])
def test_an_email_keeps_every_sign(value: str) -> None:
    assert Fields({**ROW, "email": value}).email() == clean(value)


@pytest.mark.parametrize(
    ("text", "name", "undecoded"),
    [
        ("O&#8217;Brien Learning", "O’Brien Learning", True),
        ("O&#8217;Brien Learning", "O'Brien Learning", True),  # the name was corrected meanwhile
        ("Aurora &amp; Filhos", "Aurora & Filhos", True),
        ("&#8220;Escola&#8221; &#8211; SP", '"Escola" - SP', True),
        ("d\\'Aula", "d'Aula", True),
        ("Aurora & Filhos", "Aurora & Filhos", False),
        ("Aurora &amp; Filhas", "Aurora & Filhos", False),
        ("Dona Aurora", "Aurora & Filhos", False),
        ("", "Aurora & Filhos", False),
    ],
)
def test_a_name_with_entities_is_recognized_as_what_we_wrote(
    text: str, name: str, undecoded: bool
) -> None:
    assert is_undecoded(text, name) is undecoded


@pytest.mark.parametrize(
    ("value", "text", "odd"),
    [
        (None, None, False), (False, None, False), ("", None, False), ([], None, False),
        ({}, None, False), (0, None, False), (2000, "2000", False), (True, None, True),
        (["Acme"], None, True), ({"rendered": "Acme"}, None, True),
    ],
)  # fmt: skip
def test_a_text_that_is_none_is_not_stated(value: object, text: str | None, odd: bool) -> None:
    fields = Fields({**ROW, "city": value})
    assert fields.text("city") == text
    assert fields.oddities == ((Oddity("1", "city", "no text"),) if odd else ())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12345678000190", "12.345.678/0001-90"),
        ("12ABC34501DE35", "12.ABC.345/01DE-35"),
        ("12.345.678/0001-90", "12.345.678/0001-90"),
        ("12345678909", "123.456.789-09"),
        ("36-4827159", "36-4827159"),
        ("123", "123"),
    ],
)
def test_bare_digits_of_a_tax_id_get_their_usual_form(value: str, text: str) -> None:
    assert format_tax_id(value) == text


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("BR", "BR"), ("br", "BR"), ("BRA", "BR"), ("Brasil", "BR"), ("BRAZIL", "BR"),
        ("USA", "US"), ("Estados Unidos", "US"), ("United States", "US"), ("de", "DE"),
        ("UK", "GB"), ("EUA", "US"), ("U.S.A.", "US"), ("Estados Unidos da América", "US"),
        ("Mexico", "MX"), ("MÉXICO", "MX"), ("Japao", "JP"), ("Atlantis", "Atlantis"), ("", ""),
    ],
)  # fmt: skip
def test_a_country_is_its_code_however_it_was_written(value: str, code: str) -> None:
    assert find_country(value) == code


@given(row=st.dictionaries(st.sampled_from([
    "status", "total", "currency", "date_created", "created_at", "payment_method", "number",
    "items_count", "valid_until", "line_items", "license_key", "product_name", "expires_at",
    "activations_limit", "activations_count", "activated_domains", "entitlement_code", "code",
]), json_values), reading=st.sampled_from(["", "cents", "units"]))  # fmt: skip
def test_no_record_with_an_id_raises(row: dict[str, Any], reading: str) -> None:
    row = {**row, "id": 7}
    find_rule([row], reading)
    assert Order.from_json(row, reading).id == Quote.from_json(row, reading).id == 7
    assert License.from_json(row).id == Entitlement.from_json(row).id == 7
