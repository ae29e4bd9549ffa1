"""Guessing an answer that would verify: by brute force, and by a search."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, update

from panel.data.db import transaction
from panel.data.verification_tries import MOST_TRIES, verification_tries
from tests.conftest import MakePanel, Panel, attribute, seal_of, words_of
from tests.customer.strangers import opened
from tests.customer.verifying import (
    ADMINISTRATOR,
    WRONG,
    acme,
    another_conversation,
    facts,
    key_of,
    make,
    notes,
    say,
    seal_for,
    search,
    use_up,
    verified,
    visits,
)

__all__ = ["acme", "make"]  # fixtures


# -- brute force -----------------------------------------------------------------------------------


def test_after_five_tries_not_even_the_right_answer_is_compared(
    acme: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    use_up(acme, seal)
    with caplog.at_level(logging.WARNING):
        answer = say(acme, seal, answer=key_of(acme))
    assert (answer.status_code, attribute(answer.text, "data-code")) == (429, "too_many_tries")
    assert "All five tries for today are used up. Next try from" in words_of(answer.text)
    assert "A call is still possible." in answer.text
    assert "tries are left" not in answer.text
    assert "an answer was not compared: too many tries" in caplog.text
    assert notes(acme, number, "tried")[-1] == "key not compared: too many tries"
    assert attribute(opened(acme, number), "data-trust") == "unproven"
    called = say(acme, seal, called=1)
    assert attribute(called.text, "data-trust") == "proven"


def test_tries_are_shared_by_conversations_agents_and_processes(
    make: MakePanel, acme: Panel
) -> None:
    number = visits(acme)
    other = another_conversation(acme, number)
    process = make()
    for at in range(MOST_TRIES):
        panel, agent = (acme, process)[at % 2], (2, ADMINISTRATOR)[at % 2]
        html = panel.open("healthy", conversation=other, contact=number, agent_id=agent).text
        assert say(panel, seal_of(html), answer=WRONG).status_code == 422
    assert say(process, seal_for(process, number), answer=key_of(acme)).status_code == 429
    elsewhere = visits(acme)
    assert say(acme, seal_for(acme, elsewhere), answer=key_of(acme)).status_code == 200


def test_of_many_tries_at_once_five_are_compared(make: MakePanel, acme: Panel) -> None:
    number, process = visits(acme), make()
    seal = seal_for(acme, number)
    with ThreadPoolExecutor(12) as tabs:
        panels = (acme, process) * 6
        answers = list(tabs.map(lambda panel: say(panel, seal, answer=WRONG).status_code, panels))
    assert sorted(answers) == [422] * MOST_TRIES + [429] * (12 - MOST_TRIES)


def test_a_day_later_there_are_five_again(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    use_up(acme, seal)
    with transaction(acme.services.database) as connection:
        condition = verification_tries.c.contact == number
        times = connection.scalar(select(verification_tries.c.times).where(condition)) or ""
        older = " ".join(str(float(moment) - 86400) for moment in times.split()[:1])
        later = " ".join([older, *times.split()[1:]])
        connection.execute(update(verification_tries).where(condition).values(times=later))
    assert say(acme, seal, answer=WRONG).status_code == 422
    assert say(acme, seal, answer=WRONG).status_code == 429


def test_while_the_back_office_is_silent_nothing_is_wrong_and_no_try_is_used(
    panel: Panel,
) -> None:
    number = visits(panel)
    seal = seal_for(panel, number)
    panel.office.fault("500", 42)
    answer = say(panel, seal, answer=WRONG)
    assert answer.status_code == 422
    assert "no try is used up" in answer.text
    panel.office.fault("500")
    assert "could not be asked" in search(panel, seal, "998877").text
    assert panel.services.tries.count_left(number, 42) == MOST_TRIES


@pytest.mark.parametrize(
    ("unread", "wrong", "right"),
    [
        ("orders", "998877", lambda panel: str(facts(panel)["quote"])),
        ("quotes", "998877", lambda panel: str(facts(panel)["order"])),
        ("licenses", WRONG, key_of),
        ("organization", "11.222.333/0001-81", lambda panel: str(facts(panel)["cnpj"])),
    ],
)
def test_while_a_part_cannot_be_read_nobody_guesses_for_nothing(
    panel: Panel, unread: str, wrong: str, right: Any
) -> None:
    """All documents that an answer of this look may come from are read, or the answer is not
    compared."""
    number = visits(panel)
    seal, right_answer = seal_for(panel, number), right(panel)
    panel.office.fault("403", 42, unread)
    for _ in range(MOST_TRIES + 1):
        answers = [say(panel, seal, answer=text) for text in (wrong, right_answer)]
        assert {attribute(answer.text, "data-code") for answer in answers} == {"denied"}
    assert panel.services.tries.count_left(number, 42) == MOST_TRIES
    assert attribute(opened(panel, number), "data-trust") == "unproven"
    another = key_of(panel) if unread != "licenses" else str(facts(panel)["order"])
    assert say(panel, seal, answer=another).status_code == 200
    used = WRONG if unread not in ("licenses", "organization") else "998877"
    for tries_left in range(MOST_TRIES - 1, 0, -1):
        assert panel.services.tries.count_left(number, 42) == tries_left
        assert attribute(say(panel, seal, answer=used).text, "data-code") == "wrong"
    assert say(panel, seal, answer=used).status_code == 429


# -- answers taken from a search -------------------------------------------------------------------


def test_wrong_searches_for_what_would_verify_are_tries(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    for query in (WRONG, "11.222.333/0001-81", "nobody@acme.example", "998877", "QQ88-QQ77-QQ66"):
        assert search(acme, seal, query).ok
    assert notes(acme, number, "tried") == [
        *("key wrong, by search", "tax_id wrong, by search", "email wrong, by search"),
        *("number wrong, by search", "key wrong, by search"),
    ]
    assert say(acme, seal, answer=key_of(acme)).status_code == 429


def test_an_address_among_other_words_is_a_try_and_no_try_is_left_out(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    for at in range(MOST_TRIES + 1):
        search(acme, seal, f"acme nobody{at}@acme.example")
    beyond = "email wrong, by search: no try was left"
    assert notes(acme, number, "tried") == ["email wrong, by search"] * MOST_TRIES + [beyond]


def test_names_phones_and_what_was_found_are_no_tries(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    document = acme.office.organizations[45]
    for query in ("nobody", "Escola Nova", "61 99911-2233", "7", document["cnpj"], "45"):
        search(acme, seal, query)
    assert notes(acme, number, "tried") == []
    verified_seal = verified(acme, number)
    search(acme, verified_seal, WRONG)
    assert notes(acme, number, "tried") == ["key right"]


def test_who_goes_on_typing_makes_one_try(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    typed = "11.222.333/0001-81"
    for length in range(3, len(typed) + 1):
        search(acme, seal, typed[:length])
    assert len(notes(acme, number, "tried")) == 1
    search(acme, seal, "99.888.777/0001-66")
    assert len(notes(acme, number, "tried")) == 2


def test_no_search_says_a_license_key_or_the_tax_id_of_the_company(acme: Panel) -> None:
    seal = seal_for(acme, visits(acme))
    key, cnpj = key_of(acme), acme.office.organizations[42]["cnpj"]
    for query in (key, key[-9:], "acme", "42", cnpj):
        html = search(acme, seal, query).text.replace(query, "")
        assert key[-4:] not in html
        assert cnpj not in html
