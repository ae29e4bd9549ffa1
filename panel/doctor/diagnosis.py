"""A diagnosis: what an examination found, why, and what mends it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from panel.services import Services

OK, WARNING, FAULT, SKIPPED = "ok", "warning", "fault", "skipped"
MOST_SECONDS = 5.0  # of an examination; all of them run at the same time
STATES = (FAULT, WARNING, SKIPPED, OK)  # the worst first


@dataclass(frozen=True)
class Diagnosis:
    """`cause` and `fix`: sentences for an administrator, without any secret."""

    state: str
    cause: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Examination:
    """A row of the table. `examine` yields what is wrong; nothing means that all is well.

    `seconds`: after which it is given up.
    """

    name: str
    group: str
    examine: Callable[[Services], Iterable[Diagnosis]]
    seconds: float = MOST_SECONDS
