"""The oddities of PHP for each field: the value, the row's words, and whether the log gets a
line."""

import re
from typing import Any

from tests.web.odd_office import raw

Oddity = tuple[Any, str | None, bool]  # the value, the row's words, whether the log gets a line

STATUSES: list[Oddity] = [
    ("Aguardando análise", "Aguardando análise", False),
    ("em_revisao", "Em revisao", False),
    ("A &amp; B", "A & B", False),
    (None, "No status", False),
    ("", "No status", False),
    (3, "unreadable: 3", True),
    (0, "unreadable: 0", True),
    (False, "unreadable: false", True),
    (True, "unreadable: true", True),
    ([], "unreadable: []", True),
    ({"value": "active"}, 'unreadable: {"value":"active"}', True),
    (["a", {"b": "c" * 40}], 'unreadable: ["a",{"b":"' + "c" * 29 + " …", True),
]

AMOUNTS: list[Oddity] = [
    (None, "amount not stated", False),
    ("", "amount not stated", False),
    ("80.5", "R$80.50", False),
    ("1.25e3", "R$1,250.00", False),
    ("1250.0000000001", "R$1,250.00", False),
    ("0.305", "R$0.305", False),
    (raw("0"), "R$0.00", False),
    (raw("100"), "amount unclear (100)", False),
    (raw("1E+3"), "amount unclear (1000)", False),
    (raw("-100"), "amount unclear (-100)", False),
    (raw("80.5"), "R$80.50", False),
    (raw("100.0"), "R$100.00", False),
    (raw("80.299999999999997"), "R$80.30", False),
    (raw("0.1000000000000000055511151231257827"), "R$0.10", False),
    (raw("1e400"), "unreadable: 1E+400", True),
    (False, "unreadable: false", True),
    (True, "unreadable: true", True),
    ([], "unreadable: []", True),
    ({"amount": "1.00"}, 'unreadable: {"amount":"1.00"}', True),
    ("1.250,00", "unreadable: 1.250,00", True),
    ("1,250.00", "unreadable: 1,250.00", True),
    ("R$ 1.250,00", "unreadable: R$ 1.250,00", True),
    ("NaN", "unreadable: NaN", True),
    ("<b>10</b>", "unreadable: <b>10</b>", True),
    ("9" * 60, "unreadable: " + "9" * 40 + " …", True),
]

NO_ENDS: tuple[Any, ...] = (None, "", 0, "0", False, [], "never", "Lifetime")
ENDS: list[Oddity] = [
    ("2031-04-01", "UNTIL Apr 1, 2031", False),
    ("2031-04-01T00:00:00Z", "UNTIL Apr 1, 2031", False),
    ("2031-04-01 00:00:00", "UNTIL Apr 1, 2031", False),
    ("2031-04-01T12:00:00-03:00", "UNTIL Apr 1, 2031", False),
    ("2031-04-02T01:30:00Z", "UNTIL Apr 1, 2031", False),
    (1932768000, "UNTIL Apr 1, 2031", False),
    ("1932768000", "UNTIL Apr 1, 2031", False),
    (raw("1932811200.0"), "UNTIL Apr 1, 2031", False),
    ({"date": "2031-04-01 00:00:00.000000", "timezone_type": 3, "timezone": "America/Sao_Paulo"},
     "UNTIL Apr 1, 2031", False),
    ({"date": "2031-04-01 12:00:00.000000", "timezone_type": 1, "timezone": "-03:00"},
     "UNTIL Apr 1, 2031", False),
    ("13/04/2031", "UNTIL Apr 13, 2031", False),
    ("2031/04/01", "UNTIL Apr 1, 2031", False),
    *((nothing, "NONE", False) for nothing in NO_ENDS),
    ("0000-00-00 00:00:00", "NONE", False),
    ("-0001-11-30T00:00:00", "NONE", False),
    ("01/04/2031", "unreadable: 01/04/2031", True),
    ("1 de abril de 2031", "unreadable: 1 de abril de 2031", True),
    ("soon", "unreadable: soon", True),
    ("-1", "unreadable: -1", True),
    ("1970-01-01", "unreadable: 1970-01-01", True),
    ("1969-12-31T21:00:00-03:00", "unreadable: 1969-12-31T21:00:00-03:00", True),
    (True, "unreadable: true", True),
    (12, "unreadable: 12", True),
    (["2031-04-01"], 'unreadable: ["2031-04-01"]', True),
    ({"date": "2031"}, 'unreadable: {"date":"2031"}', True),
]  # fmt: skip

NO_TEXTS: tuple[Any, ...] = (None, "", False, 0, [], {})
TEXTS: list[Oddity] = [
    ("Sala &amp; Cia", "Sala & Cia", False),
    ("O&#8217;Brien", "O’Brien", False),
    ("d\\'Aula", "d'Aula", False),
    ("<b>x</b>", "<b>x</b>", False),
    (2000, "2000", False),
    *((nothing, None, False) for nothing in NO_TEXTS),
    (True, None, True),
    (["x"], None, True),
    ({"rendered": "x"}, None, True),
]

CREATED: list[Oddity] = [
    ("2026-04-01 12:00:00", "Apr 1, 2026", False),
    (1775044800, "Apr 1, 2026", False),
    (False, "No date", False),
    ("0000-00-00", "No date", False),
    (None, "No date", False),
    ("1 de abril de 2026", "No date", True),
    ({"date": 3}, "No date", True),
]
COUNTS: list[Oddity] = [
    (2, "2 items", False),
    ("2", "2 items", False),
    (raw("2.0"), "2 items", False),
    (None, None, False),
    ("many", None, True),
    ({}, None, False),
    ([1], None, True),
]
NUMBERS: list[Oddity] = [
    ("1449", "#1449", False),
    (1449, "#1449", False),
    (None, "#1", False),
    ([1], "#1", True),
]
CURRENCIES: list[Oddity] = [
    ("brl", "R$10.00", False),
    ("R$", "R$10.00", False),
    ("&#82;&#36;", "R$10.00", False),
    ("KWD", "KWD10.000", False),
    ("JPY", "¥10", False),
    ("QQQ", "QQQ10.00", False),
    (None, " 10.00", False),
    ("", " 10.00", False),
    (986, " 10.00", True),
    ([], " 10.00", False),
    ({"code": "BRL"}, " 10.00", True),
]
LINES: list[Oddity] = [
    ({"731": {"product_name": "Tema &amp; Campus"}}, "Tema & Campus", False),
    ([None, {"product_name": "Tema"}], "Tema", False),
    ([{"product_name": 3}, {"product_name": "Tema"}], "Tema", False),
    (None, None, False),
    (False, None, False),
    ("none", None, True),
    (3, None, True),
]
KEYS: list[Oddity] = [
    ("ABCD-1234", "••••1234", False),
    (99991234, "••••1234", False),
    (None, None, False),
    (["ABCD-1234"], None, True),
]
LIMITS: list[Oddity] = [
    (3, "Site limit 3, use not stated", False),
    (None, "Unlimited sites", False),
    (0, "Unlimited sites", False),
    (-1, "Unlimited sites", False),
    ("-1", "Unlimited sites", False),
    ("", "Site limit not stated", False),
    (False, "Site limit not stated", False),
    ([], "Site limit not stated", False),
    ("unlimited", "Site limit not stated", True),
    ("ilimitado", "Site limit not stated", True),
    (-7, "Site limit not stated", True),
    ({"sites": 3}, "Site limit not stated", True),
]
USES: list[Oddity] = [("x", None, True), (None, None, False), (False, None, False)]
DOMAINS: list[Oddity] = [
    ({"3": "a.example"}, None, False),
    ([None], None, False),
    (None, None, False),
    ("a.example", None, True),
]
UNUSED: list[Oddity] = [(False, None, False), (1775044800, None, False), ({}, None, False)]


def fill(table: list[Oddity], **words: str) -> list[Oddity]:
    """Return the table with these words in its places."""
    place = re.compile("|".join(words))
    return [
        (value, place.sub(lambda match: words[match[0]], says or "NOTHING"), odd)
        for value, says, odd in table
    ]


FIELDS: dict[tuple[str, str], list[Oddity]] = {
    ("orders", "status"): STATUSES,
    ("quotes", "status"): STATUSES,
    ("licenses", "status"): STATUSES,
    ("orders", "total"): AMOUNTS,
    ("quotes", "total"): AMOUNTS,
    ("licenses", "expires_at"): fill(ENDS, NONE="Lifetime", UNTIL=""),
    ("quotes", "valid_until"): fill(ENDS, NONE="No end date", UNTIL="Valid until"),
    ("orders", "date_created"): CREATED,
    ("quotes", "created_at"): [(value, None, odd) for value, _, odd in CREATED],
    ("orders", "date_completed"): UNUSED,
    ("orders", "items_count"): COUNTS,
    ("orders", "number"): NUMBERS,
    ("orders", "currency"): CURRENCIES,
    ("orders", "payment_method"): TEXTS,
    ("quotes", "line_items"): LINES,
    ("licenses", "product_name"): fill(TEXTS, NOTHING="#1"),
    ("licenses", "license_key"): KEYS,
    ("licenses", "activations_limit"): LIMITS,
    ("licenses", "activations_count"): USES,
    ("licenses", "activated_domains"): DOMAINS,
    ("licenses", "entitlement_code"): [(3, None, False), ([1], None, True)],
}
CASES = [(*place, *oddity) for place, table in FIELDS.items() for oddity in table]
