"""A line of the log: its values, in both forms, and the values that it never holds."""

import json
import logging
import sys
import threading
from typing import Any

import pytest

from panel.errors import Unwell
from panel.logs import request_id
from panel.logs.formatter import LogFormatter, configure

NAME, EMAIL, PHONE = "Ana Souza", "ana.souza+1@aurora.example", "+5561999990042"


def line(message: str, *args: object, name: str = "panel.test", **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.WARNING, __file__, 1, message, args, None)
    record.__dict__.update(more)
    return record


def told(record: logging.LogRecord) -> dict[str, Any]:
    text = LogFormatter(readable=False).format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def fail(error: BaseException) -> logging.LogRecord:
    try:
        raise error
    except type(error):
        return line("it broke", exc_info=sys.exc_info())


def test_a_line_says_when_how_bad_who_what_and_which_ids() -> None:
    with request_id.working():
        event = told(line("orders %d: late", 42, fields={"organization": 42, "code": "timeout"}))
        assert event.pop("request") == request_id.current()
    assert event.pop("time").endswith("Z")
    assert event.pop("process") > 0
    assert event == {
        "level": "warning",
        "logger": "panel.test",
        "message": "orders 42: late",
        "organization": 42,
        "code": "timeout",
    }


def test_on_a_terminal_it_is_one_readable_line() -> None:
    request_id.begin("from-the-proxy")
    text = LogFormatter(readable=True).format(line("late", fields={"organization": 42}))
    request_id.end()
    assert text.endswith("Z WARNING test: late organization=42 request=from-the-proxy")


def test_a_value_cannot_write_a_line_of_its_own_nor_move_the_cursor() -> None:
    text = LogFormatter(readable=True).format(line("a\nb\x1b[2J", fields={"origin": "c\r\n"}))
    assert text.endswith("a\\nb\\x1b[2J origin=c\\r\\n")


@pytest.mark.parametrize("value", [EMAIL, EMAIL.replace("@", "%40"), PHONE])
def test_what_looks_like_an_e_mail_or_a_phone_is_hidden(value: str) -> None:
    record = line(f"before {value} after", fields={"detail": f"Email {value}"})
    for text in (LogFormatter(readable=True).format(record), json.dumps(told(record))):
        assert value not in text
        assert "before [hidden] after" in text


def test_a_trace_names_places_and_kinds_of_error_and_no_value() -> None:
    try:
        try:
            dict[str, int]()[NAME]
        except KeyError as cause:
            raise ValueError(f"{NAME} <{EMAIL}>") from cause
    except ValueError:
        event = told(line("it broke", exc_info=sys.exc_info()))
    assert [frame for frame in event["trace"] if not frame.startswith("/")] == [
        "KeyError",
        "ValueError",
    ]
    assert "test_formatter.py:" in event["trace"][0]
    assert NAME not in json.dumps(event)


def test_a_trace_tells_our_own_words_and_those_of_the_system() -> None:
    assert (
        told(fail(Unwell("http_503", "status 503")))["trace"][-1] == "Unwell: http_503: status 503"
    )
    error = PermissionError(13, "Permission denied", "/var/lib/panel/panel.db")
    assert (
        told(fail(error))["trace"][-1]
        == "PermissionError: Permission denied: /var/lib/panel/panel.db"
    )


def test_gunicorn_s_lines_lose_what_a_client_sent() -> None:
    text = "Invalid request from ip=203.0.113.7: Invalid Request Line 'GET /search?q=aurora'"
    assert told(line(text, name="gunicorn.error"))["message"] == (
        "Invalid request from ip=203.0.113.7"
    )
    event = told(line("Error handling request %s %s", "GET", "/search?q=x", name="gunicorn.error"))
    assert event["message"] == "Error handling request GET /search"


@pytest.fixture
def untouched() -> Any:
    root, hook = logging.getLogger(), threading.excepthook
    handlers, levels = (
        list(root.handlers),
        {"panel": logging.getLogger("panel").level},
    )
    yield
    logging.captureWarnings(False)
    root.handlers[:], threading.excepthook = handlers, hook
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.usefixtures("untouched")
def test_all_of_a_process_goes_to_standard_error_in_one_format_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure()
    configure()
    logging.getLogger("panel.somebody").info("ours")
    logging.getLogger("somebody.else").info("theirs, for their developers")
    logging.getLogger("somebody.else").warning("theirs")
    thread = threading.Thread(target=lambda: dict[str, int]()[NAME], name="tables")
    thread.start()
    thread.join()
    events = [json.loads(raw_line) for raw_line in capsys.readouterr().err.splitlines()]
    assert [event["message"] for event in events] == ["ours", "theirs", "the thread tables broke"]
    assert NAME not in json.dumps(events)
