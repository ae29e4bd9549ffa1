"""A conversation opens whatever its messages contain; above the limit, the panel says so."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from panel.cache.policy import CacheControl
from panel.demo.worlds import ADMIN_TOKEN
from panel.upstream.bodies import LARGE_AT_ONCE, LARGEST_IN_PARTS
from panel.web.labels import CHATWOOT_CAUSES
from tests.conftest import Panel, attribute

HEALTHY = 101
MAIL = "<p>Good morning, our courses are gone.</p>\n"
SIGN_BYTES = 6 * 4  # a sign of HTML is escaped, and shown four times


def write_mail(panel: Panel, kilobytes: int, conversation: int = HEALTHY) -> None:
    html = MAIL * (kilobytes * 1024 // len(MAIL))
    panel.chat.add_mail(conversation, "Good morning", html)


def measure_answer(panel: Panel) -> int:
    path = f"{panel.services.settings.chatwoot_url}/api/v1/accounts/1/conversations/{HEALTHY}"
    return len(requests.get(path, headers={"Api-Access-Token": ADMIN_TOKEN}, timeout=30).content)


def test_a_conversation_that_ends_in_a_large_mail_opens(panel: Panel) -> None:
    write_mail(panel, 337)
    assert measure_answer(panel) > 2.2 * 1024 * 1024
    assert attribute(panel.open().text, "data-panel") == "ready"


def test_a_visitor_who_writes_150_000_signs_locks_nobody_out(panel: Panel) -> None:
    panel.chat.add_message(HEALTHY, "<" * 150_000)
    assert measure_answer(panel) > 150_000 * SIGN_BYTES
    assert attribute(panel.open().text, "data-panel") == "ready"


@pytest.mark.parametrize("text", ["😀" * 20_000, "\x00 and more", '"}]}'])
def test_no_sign_in_a_message_hides_the_customer(panel: Panel, text: str) -> None:
    panel.chat.add_message(HEALTHY, text)
    assert attribute(panel.open().text, "data-panel") == "ready"


def test_an_answer_above_the_limit_admits_nobody(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    panel.chat.add_message(HEALTHY, "<" * (LARGEST_IN_PARTS // SIGN_BYTES + 1000))
    answer = panel.open()
    assert answer.status_code == 502
    assert attribute(answer.text, "data-panel") == "failed"
    assert attribute(answer.text, "data-code") == "too_large"
    assert CHATWOOT_CAUSES["too_large"].replace("'", "&#39;") in answer.text
    assert f"conversations {HEALTHY}: too_large" in caplog.text
    assert "<<<" not in caplog.text


def test_many_readers_of_large_conversations_all_get_them(panel: Panel) -> None:
    write_mail(panel, 400)
    answers = LARGE_AT_ONCE * 3
    barrier = threading.Barrier(answers)

    def read(_: int) -> int:
        barrier.wait()
        conversation = panel.services.chatwoot.conversation(HEALTHY, CacheControl.NO_CACHE)
        return conversation.id

    with ThreadPoolExecutor(answers) as pool:
        assert set(pool.map(read, range(answers))) == {HEALTHY}
