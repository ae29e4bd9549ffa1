"""The heartbeat of a worker: writes its state, and asks whether it may write into Chatwoot.

The heartbeat has a thread of its own. When the whole process hangs, the beats stop, and health
checks show it.
"""

import itertools
import logging
import os
import socket
import threading
from collections.abc import Callable

from panel.data.workers import BEAT_SECONDS, STANDING_BY, STOPPED, Workers
from panel.errors import PanelError

log = logging.getLogger(__name__)
LOOK_BEATS = 6  # beats from one check whether we may write to the next: a minute


class Heartbeat:
    """Safe for threads. `may_write`: see `installation_mark`; it may ask Chatwoot.

    `tell` is called with each new state.
    """

    def __init__(
        self,
        workers: Workers,
        may_write: Callable[[], bool],
        tell: Callable[[str], None],
        seconds: float = BEAT_SECONDS,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._workers = workers
        self._ask_may_write = may_write
        self._tell = tell
        self._seconds = seconds
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._state = ""
        self._has_ended = False
        self._is_allowed: bool | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self.say(STANDING_BY)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and write the last state."""
        self._stopping.set()
        self._thread.join()
        self.say(STOPPED)

    def say(self, state: str) -> None:
        """Set a new state, and write it at once."""
        if state != self._state:
            self._state = state
            self._write()
            self._tell(state)

    def note_end(self) -> None:
        """Note that a try of a pass or of a task has ended here; the next beat writes it."""
        self._has_ended = True

    def may_write(self) -> bool:
        """Return the result of the last check; the first call makes one."""
        if self._is_allowed is None:
            self._is_allowed = self._ask_may_write()
        return self._is_allowed

    def _run(self) -> None:
        for beat in itertools.count(1):
            if self._stopping.wait(self._seconds):
                return
            self._write()
            if self._is_allowed is not None and beat % LOOK_BEATS == 0:
                self._is_allowed = self._ask_may_write()

    def _write(self) -> None:
        with self._lock:
            has_ended, self._has_ended = self._has_ended, False
            try:
                self._workers.put(self.name, self._state, has_ended)
            except PanelError as error:
                self._has_ended = has_ended
                log.info("worker %s cannot say how it is: %s", self.name, error)
