"""Five tries in 24 hours, whoever makes them, on either database."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine

from panel.data import db, schema
from panel.data.db import transaction
from panel.data.verification_tries import (
    MOST_TRIES,
    TRIES_SECONDS,
    VerificationTries,
    digest_beginnings,
    note_search,
    take_try,
)

CONTACT, ORGANIZATION = 301, 42


def take(engine: Engine) -> float | None:
    with transaction(engine) as connection:
        return take_try(connection, CONTACT, ORGANIZATION)


def test_of_many_at_once_five_are_made_and_the_others_wait_for_the_first_to_be_a_day_old(
    url: str,
) -> None:
    engine = db.connect(url)
    schema.migrate(engine)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: take(engine), range(12)))
    until = [answer for answer in answers if answer is not None]
    assert len(answers) - len(until) == MOST_TRIES
    assert len(set(until)) == 1
    assert VerificationTries(engine).count_left(CONTACT, ORGANIZATION) == 0
    assert VerificationTries(engine).count_left(CONTACT, ORGANIZATION + 1) == MOST_TRIES
    assert TRIES_SECONDS == 24 * 3600
    VerificationTries(engine).prune()
    assert take(engine) == until[0]
    engine.dispose()


def test_what_somebody_goes_on_typing_is_known_by_its_beginnings(url: str) -> None:
    engine = db.connect(url)
    schema.migrate(engine)
    take(engine)
    typed = ("11222", "1122233", "1122233", "99", "11222")
    with transaction(engine) as connection:
        searches = [
            note_search(connection, CONTACT, ORGANIZATION, digest_beginnings("secret", text))
            for text in typed
        ]
    assert searches == [False, True, True, False, False]
    engine.dispose()
