"""The watch: runs the cheap checks once a minute, so that the log tells of trouble by itself.

An installation may have no monitoring that calls `/readyz`. A line is logged when a part fails,
when it fails in another way, and when it is well again.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask

from panel.checks import run_checks
from panel.health.finding import Finding
from panel.health.journal import note_newest
from panel.services import Services, services

log = logging.getLogger(__name__)
WATCH_SECONDS = 60.0
# The number of checks from one examination to the next: an examination makes some twenty calls to
# the outside worlds.
EXAMINE_EVERY = 15
# Returns the findings of the doctor's checks of the outside worlds, for JSON.
Examine = Callable[[Services], dict[str, Any]]


class HealthWatch:
    """The watch of this process. Safe for threads. `examined`: the last result of `examine`."""

    def __init__(self, examine: Examine = lambda _: {}) -> None:
        self._examine = examine
        self.examined: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._unwell: dict[str, str] = {}
        self._stopping = threading.Event()

    def note(self, findings: Mapping[str, Finding]) -> None:
        """Log the changes since the last findings, whichever caller asked for them."""
        for name, finding in findings.items():
            with self._lock:
                before = self._unwell.pop(name, "")
                if not finding.is_fine:
                    self._unwell[name] = finding.word
            fields = {"fields": {"part": name, "word": finding.word}}
            if finding.is_fine and before:
                log.info("the part %s is well again", name, extra=fields)
            elif not finding.is_fine and before != finding.word:
                detail = f" ({finding.detail})" if finding.detail else ""
                log.warning(
                    "the part %s is not well: %s%s", name, finding.word, detail, extra=fields
                )

    def start(self, app: Flask, seconds: float = WATCH_SECONDS) -> None:
        threading.Thread(target=self._run, args=(app, seconds), name="watch", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self, app: Flask, seconds: float) -> None:
        looks = 0
        while not self._stopping.wait(seconds):
            with app.app_context():
                self.note(run_checks(services(), cheap_only=True))
                note_newest(services())
                if looks % EXAMINE_EVERY == 0:
                    self.examined = self._examine(services())
            looks += 1
