"""The jobs that the worker of the executing process runs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from panel.data.tasks import Task
from panel.sync.recovery import Recovery

BringInLine = Callable[[int], None]
Reconcile = Callable[[], None] | None


def warm_none(_organization: int) -> None:
    """Do nothing, for a worker without a cache to warm."""


def _do_none(_task: Task) -> None:
    """Do nothing, for a worker without tasks."""


def keep_none(_stop: threading.Event) -> None:
    """Do nothing, for a worker without nights."""


def _is_yes(_task: object = None) -> bool:
    return True


@dataclass(frozen=True)
class Work:
    """The jobs of the executing process.

    `do_task` and `bring_in_line` raise `TryLater` where another try may succeed, and another error
    where the work is to be buried. `is_due` tells whether a task may be done now: no pass is about
    to do the same. `may_write` returns False when another installation writes into the account:
    then nothing is executed here. `recovery` notes the calls that succeed. `reconcile` begins a
    night; `keep_nights` goes on with it, in a thread, until its event is set.
    """

    bring_in_line: BringInLine
    reconcile: Reconcile = None
    warm: BringInLine = warm_none
    do_task: Callable[[Task], None] = _do_none
    is_due: Callable[[Task], bool] = _is_yes
    may_write: Callable[[], bool] = _is_yes
    recovery: Recovery = field(default_factory=Recovery)
    keep_nights: Callable[[threading.Event], None] = keep_none
