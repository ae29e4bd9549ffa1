"""Answers: a customer's text, compared with the facts that the back office has of their company.

An answer is one guess: it is compared as a whole, with every kind of value. Upper case and
punctuation make no difference. All values are compared, each in constant time, even after one has
matched: the duration must not tell which one it was.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from panel.cache.policy import CacheControl
from panel.data.search_index import CNPJ, fold
from panel.errors import PanelError
from panel.models.organizations import Organization
from panel.models.phones import normalize_phone
from panel.models.text import MAIL_ADDRESS, TAX_ID_DIGITS, normalize_email
from panel.services import Services
from panel.upstream.documents import LICENSES, ORDERS, ORGANIZATION, QUOTES, Document

# The kinds have the names that `PANEL_VERIFY_BY`, the templates and the access log use.
BY_KEY, BY_TAX, BY_ORDER, BY_QUOTE, BY_ADDRESS = "key", "tax_id", "order", "quote", "email"
ANSWER_KINDS = (BY_KEY, BY_TAX, BY_ORDER, BY_QUOTE, BY_ADDRESS)
BY_NUMBER = "number"  # of a wrong number nobody knows whether it is an order's or a quote's
KEY_LENGTH = 8  # of a license key, the last characters
# In its last characters, such a run shows that a key is hidden by its source, or counted up.
RUN_OF_SAME = re.compile(r"(.)\1{3}")
SHORTEST_TAX_ID = 8  # letters and digits, of any country
TAX_ID_LENGTHS = (11, 14)  # digits of a CPF and of a CNPJ
LEAST_PHONE = 8  # digits
RECORD_LENGTHS = range(3, 13)  # the possible counts of digits of an order's or a quote's number
# The kinds that cannot be compared while a document cannot be read.
KINDS_OF_DOCUMENTS = {
    LICENSES.name: (BY_KEY,),
    ORGANIZATION.name: (BY_TAX, BY_ADDRESS),
    ORDERS.name: (BY_ORDER,),
    QUOTES.name: (BY_QUOTE,),
}
# The kinds that an answer may belong to, by its look.
KINDS_OF_LOOKS = {
    BY_KEY: (BY_KEY,),
    BY_TAX: (BY_TAX,),
    BY_ADDRESS: (BY_ADDRESS,),
    BY_NUMBER: (BY_ORDER, BY_QUOTE),
}
COUNTRY = "BR"  # of a phone that is written without its country


@dataclass(frozen=True)
class Facts:
    """The facts of an organization that a customer may know too, as the back office wrote them.

    `phone`: the registered one; `unread`: the kinds that could not be read, and why.
    """

    keys: tuple[str, ...] = ()
    tax_ids: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phone: str = ""
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Agreement:
    """A value that the customer knows. `number`: of the order or quote, which is not masked."""

    kind: str
    number: str = ""


def read_facts(services: Services, organization: int) -> Facts:
    """Read the facts as the panel read them, from kept copies too. Raises
    `Unreachable("database")`."""
    unread: dict[str, str] = {}

    def read(document: Document[Any]) -> Any:
        try:
            return services.back_office.read(document, organization, CacheControl.FRESH).value
        except PanelError as error:
            unread.update(dict.fromkeys(KINDS_OF_DOCUMENTS[document.name], error.code))
            return None

    def list_rows(document: Document[Any]) -> Iterable[Any]:
        records = read(document)
        return records.rows if records else ()

    company, people = read(ORGANIZATION), services.directory.people_of(organization).values()
    emails = [company.email if company else None, *(person.email for person in people)]
    return Facts(
        keys=_keep(row.key for row in list_rows(LICENSES)),
        tax_ids=_keep([company.tax_id] if company else []),
        orders=_keep(text for row in list_rows(ORDERS) for text in (row.number, str(row.id))),
        quotes=_keep(str(row.id) for row in list_rows(QUOTES)),
        emails=_keep(normalize_email(email) for email in emails),
        phone=find_callable(company),
        unread=unread,
    )


def find_callable(company: Organization | None) -> str:
    """Return the registered phone as it is written; empty for a text that nobody can call."""
    text = (company.phone if company else "") or ""
    return text if len(_keep_digits(text)) >= LEAST_PHONE else ""


def _keep(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, texts)))


def find_gap(answer: str, facts: Facts) -> str:
    """Return why this answer cannot be judged now; empty where it can."""
    kinds = KINDS_OF_LOOKS.get(guess_kind(answer), ANSWER_KINDS)
    return next((facts.unread[kind] for kind in kinds if kind in facts.unread), "")


def compare_answer(answer: str, facts: Facts) -> list[Agreement]:
    """Return all values that the answer fits, the strongest first."""
    agreements: list[Agreement] = []
    for kind, values, normalize in _list_comparisons(facts):
        right = [value for value in values if _is_same(answer, value, normalize)]
        number = right[0] if right and kind in (BY_ORDER, BY_QUOTE) else ""
        agreements += [Agreement(kind, number)] if right else []
    return agreements


# Brings an answer and a value into the form in which they are compared.
Normalize = Callable[[str, str], tuple[str, str]]


def _list_comparisons(facts: Facts) -> tuple[tuple[str, tuple[str, ...], Normalize], ...]:
    return (
        (BY_KEY, facts.keys, _cut_key),
        (BY_TAX, facts.tax_ids, _flatten_tax_id),
        (BY_ORDER, facts.orders, _flatten_number),
        (BY_QUOTE, facts.quotes, _flatten_number),
        (BY_ADDRESS, facts.emails, lambda answer, value: (normalize_email(answer) or "", value)),
    )


def _is_same(answer: str, value: str, normalize: Normalize) -> bool:
    guess, right = normalize(answer, value)
    return hmac.compare_digest(guess.encode(), right.encode()) and bool(right)


def _cut_key(answer: str, key: str) -> tuple[str, str]:
    """Compare the last eight characters at least, and as many more as both have: agents paste whole
    keys, with a word before them. A key that is no secret proves nothing."""
    guess, right = _flatten(answer), _flatten(key)
    length = min(len(guess), len(right))
    # A sentence may go on behind the key: then the longest word counts.
    if length and guess[-length:] != right[-length:]:
        guess = _flatten(max(answer.split(), key=len))
        length = min(len(guess), len(right))
    if length < KEY_LENGTH or RUN_OF_SAME.search(right[-KEY_LENGTH:]):
        return "", ""
    return guess[-length:], right[-length:]


def _flatten_tax_id(answer: str, tax_id: str) -> tuple[str, str]:
    """Take the digits alone where there are as many as a tax id has; else letters count as well.
    Where the source hides most of a tax id, too little is left to compare."""
    if len(_flatten(tax_id)) < SHORTEST_TAX_ID:
        return "", ""
    guess, right = _keep_digits(answer), _keep_digits(tax_id)
    if len(right) >= TAX_ID_DIGITS and len(right) == len(_flatten(tax_id)):
        return guess, right
    return _flatten(answer), _flatten(tax_id)


def _flatten_number(answer: str, number: str) -> tuple[str, str]:
    """Read `4217`, `#4217`, `pedido 4217`; several numbers are several guesses, so none."""
    groups = re.findall(r"[0-9]+", answer)
    if number.isdigit() and len(groups) == 1:
        return groups[0], number
    return _flatten(answer), _flatten(number)


def _flatten(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", fold(text))


def _keep_digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def guess_kind(text: str) -> str:
    """Guess by its look which kind of value a wrong answer was; empty where it looks like a name, a
    phone or an id of one or two digits."""
    digits = _keep_digits(text)
    if any(MAIL_ADDRESS.search(word) for word in text.split()):
        return BY_ADDRESS
    if digits and digits == _flatten(text):
        return "" if normalize_phone(text, COUNTRY) else _guess_number(len(digits))
    if CNPJ.fullmatch("".join(fold(text).split())):
        return BY_TAX  # since July 2026 some CNPJs have letters
    words = [_flatten(word) for word in text.split()]
    is_key = any(len(word) >= KEY_LENGTH and re.search("[0-9]", word) for word in words)
    return BY_KEY if is_key else ""


def _guess_number(length: int) -> str:
    if length in TAX_ID_LENGTHS:
        return BY_TAX
    return BY_NUMBER if length in RECORD_LENGTHS else ""
