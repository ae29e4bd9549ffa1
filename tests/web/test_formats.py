"""Money, days and ages in the agent's language."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.models.money import Money
from panel.web.formats import Formats, choose_locale

ZONE = ZoneInfo("America/Sao_Paulo")
ENGLISH = Formats("en", ZONE)
PORTUGUESE = Formats("pt_BR", ZONE)
NOW = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("setting", "languages", "locale"),
    [
        ("", [], "en"),
        ("", ["en-US", "en"], "en"),
        ("", ["pt-BR", "pt", "en"], "pt_BR"),
        ("", ["pt-br"], "pt_BR"),
        ("", ["pt"], "pt_BR"),
        ("", ["pt-PT"], "pt_BR"),
        ("", ["de", "pt-BR", "en"], "pt_BR"),
        ("", ["en-GB", "pt-BR"], "en"),
        ("", ["de-DE", "fr"], "en"),
        ("", ["*"], "en"),
        ("", ["", "--", "x" * 500, "\x00", "x_BR_POSIX@x"], "en"),
        ("pt_BR", ["en"], "en"),
        ("en", ["pt-BR"], "pt_BR"),
        ("pt_BR", ["de"], "pt_BR"),
        ("pt_BR", [], "pt_BR"),
        ("", ["pt_BR"], "pt_BR"),  # as Chatwoot writes it
        ("", ["es", "pt-BR"], "pt_BR"),
    ],
)
def test_the_first_wish_that_we_speak_is_granted_and_the_setting_comes_last(
    setting: str, languages: list[str], locale: str
) -> None:
    assert choose_locale(languages, setting) == locale


def test_the_language_is_named_as_html_wants_it() -> None:
    assert (ENGLISH.language, PORTUGUESE.language) == ("en", "pt-BR")


@pytest.mark.parametrize(
    ("amount", "currency", "english", "portuguese"),
    [
        ("1250.00", "BRL", "R$1,250.00", "R$\xa01.250,00"),
        ("1250", "USD", "$1,250.00", "US$\xa01.250,00"),
        ("-0.5", "USD", "-$0.50", "-US$\xa00,50"),
        ("1250", "", "1,250.00", "1.250,00"),
        ("5", "XYZ", "XYZ5.00", "XYZ\xa05,00"),
    ],
)
def test_money_looks_as_people_write_it(
    amount: str, currency: str, english: str, portuguese: str
) -> None:
    money = Money(Decimal(amount), currency)
    assert ENGLISH.money(money) == english
    assert PORTUGUESE.money(money) == portuguese


@given(
    st.decimals(
        allow_nan=False,
        allow_infinity=False,
        min_value=-(10**15),
        max_value=10**15,
        places=15,
    ),
    st.text(max_size=8),
)
def test_no_amount_and_no_currency_breaks_the_page(amount: Decimal, currency: str) -> None:
    for formats in (ENGLISH, PORTUGUESE):
        text = formats.money(Money(amount, currency))
        assert any(char.isdigit() for char in text)
        assert len(text) < 60


@given(
    st.datetimes(timezones=st.timezones() | st.just(UTC)),
    st.sampled_from(["America/Sao_Paulo", "Asia/Tokyo", "Pacific/Kiritimati"]),
)
def test_no_day_breaks_the_page(moment: datetime, zone: str) -> None:
    formats = Formats("pt_BR", ZoneInfo(zone))
    assert formats.day(moment)
    assert formats.within(moment, NOW)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00"])
def test_the_first_and_the_last_day_are_shown(text: str) -> None:
    assert PORTUGUESE.day(datetime.fromisoformat(text))
    assert PORTUGUESE.within(datetime.fromisoformat(text), NOW)


def test_a_day_is_that_of_the_zone() -> None:
    late = datetime(2026, 5, 5, 1, 0, tzinfo=UTC)
    assert PORTUGUESE.day(late) == "04/05/2026"
    assert Formats("pt_BR", ZoneInfo("Asia/Tokyo")).day(late) == "05/05/2026"
    assert ENGLISH.day(date(2026, 5, 5)) == "May 5, 2026"
    assert ENGLISH.day(late.timestamp()) == "May 4, 2026"


@pytest.mark.parametrize(
    ("seconds", "english", "portuguese"),
    [
        (0, "1 sec. ago", "há 1 seg."),
        (-5, "1 sec. ago", "há 1 seg."),
        (59, "59 sec. ago", "há 59 seg."),
        (300, "5 min. ago", "há 5 min."),
        (7200, "2 hr. ago", "há 2 h"),
        (3 * 86400, "3 days ago", "há 3 dias"),
    ],
)
def test_an_age_is_told_in_words(seconds: int, english: str, portuguese: str) -> None:
    now = NOW.timestamp()
    assert ENGLISH.ago(now - seconds, now) == english
    assert PORTUGUESE.ago(now - seconds, now) == portuguese


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOW + timedelta(hours=1), "today"),
        (NOW - timedelta(hours=1), "today"),
        (NOW + timedelta(hours=12, minutes=1), "tomorrow"),
        (NOW + timedelta(days=12), "in 12 days"),
        (NOW - timedelta(days=12), "12 days ago"),
        (datetime(2026, 5, 4, 1, 0, tzinfo=UTC), "yesterday"),  # still yesterday in Brasília
    ],
)
def test_an_expiry_is_counted_in_calendar_days_of_the_zone(moment: datetime, words: str) -> None:
    assert ENGLISH.within(moment, NOW) == words


def test_an_hour_of_another_day_names_the_day_as_a_row_writes_it() -> None:
    now = datetime.now(UTC)
    before = (now - timedelta(days=2)).timestamp()
    for formats in (ENGLISH, PORTUGUESE):
        today = formats.clock(now.timestamp())
        assert "/" not in today
        assert "," not in today
        assert formats.clock(before).startswith(f"{formats.day(before)}, ")
