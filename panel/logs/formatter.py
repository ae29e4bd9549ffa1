"""The format of the log: a JSON object in each line, or a readable line on a terminal.

The log holds no value of a customer. The texts of errors may hold anything, so traces are written
without them. All that looks like an e-mail or a phone is hidden, wherever it stands.
"""

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from panel.errors import PanelError
from panel.logs import request_id

PERSONAL_DATA = re.compile(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+|\+\d{8,15}\b")
# gunicorn quotes the request that it cannot read, and an address with its query.
QUOTED = re.compile(r"(?<=^Invalid request from ip=)(\S*): .*|\?\S*", re.DOTALL)
OUR_LOGGERS = ("panel",)
LONGEST_VALUE = 2000


class LogFormatter(logging.Formatter):
    """`fields` of a record (`extra={"fields": …}`) are its ids: numbers and short words."""

    def __init__(self, readable: bool | None = None) -> None:
        """`readable`: write lines for a person; None: do so where standard error is a terminal."""
        super().__init__()
        self._readable = sys.stderr.isatty() if readable is None else readable

    def format(self, record: logging.LogRecord) -> str:
        event = self._describe(record)
        return _draw(event) if self._readable else json.dumps(event, default=str)

    def _describe(self, record: logging.LogRecord) -> dict[str, Any]:
        at = datetime.fromtimestamp(record.created, UTC)
        event: dict[str, Any] = {
            "time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": _read_message(record),
        }
        fields: dict[str, Any] = getattr(record, "fields", {})
        values = {name: value for name, value in fields.items() if value not in ("", None)}
        event |= {name: _hide_personal(value) for name, value in values.items()}
        if request_id.current():
            event["request"] = request_id.current()
        if record.exc_info and record.exc_info[1]:
            event["trace"] = list(list_trace(record.exc_info[1]))
        return event


def _read_message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.name.startswith("gunicorn"):
        message = QUOTED.sub(r"\1", message)
    return str(_hide_personal(message))


def _hide_personal(value: object) -> object:
    return PERSONAL_DATA.sub("[hidden]", value)[:LONGEST_VALUE] if isinstance(value, str) else value


def list_trace(error: BaseException) -> Iterator[str]:
    """Return where an error arose and its class, the first cause first. The text of the error is
    left out unless it is ours: a library's text may quote the value that it could not read.
    """
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before:
        yield from list_trace(before)
    yield from _list_places(error.__traceback__)
    yield describe_cause(error)


def _list_places(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace):
        yield f"{frame.filename}:{frame.lineno} in {frame.name}"


def describe_cause(error: BaseException) -> str:
    """Return the class of an error; its text too where we wrote it, or the system wrote it about a
    file."""
    text = str(error) if isinstance(error, PanelError) else ""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {_hide_personal(text)}".removesuffix(": ")


def _draw(event: dict[str, Any]) -> str:
    extras = {key: value for key, value in event.items() if key not in _DRAWN_APART}
    fields = "".join(f" {name}={value}" for name, value in extras.items())
    logger = event["logger"].removeprefix("panel.")
    line = f"{event['time']} {event['level'].upper():7} {logger}: {event['message']}{fields}"
    return "\n    ".join(_escape_controls(text) for text in (line, *event.get("trace", ())))


_DRAWN_APART = frozenset({"time", "level", "logger", "process", "message", "trace"})


def _escape_controls(text: str) -> str:
    """Show characters that would move a terminal's cursor or begin a line as escape sequences."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


# -- where the lines go --------------------------------------------------------------------------


class _StandardError(logging.StreamHandler[Any]):
    """Writes to `sys.stderr` as it is at each moment, because others redirect it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(LogFormatter())

    @property
    def stream(self) -> Any:
        return sys.stderr


def configure() -> None:
    """Send all lines of this process to standard error, in the one format. Our own loggers write
    lines of level INFO and above, those of libraries WARNING and above.
    """
    root = logging.getLogger()
    if not any(isinstance(handler, _StandardError) for handler in root.handlers):
        root.addHandler(_StandardError())
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = _log_broken_thread


def _log_broken_thread(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "unknown"
    if failure.exc_value:
        trouble = (failure.exc_type, failure.exc_value, failure.exc_traceback)
        logging.getLogger(__name__).error("the thread %s broke", name, exc_info=trouble)
