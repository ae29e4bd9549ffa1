"""A diagnosis: the finding of an examination, with its cause and its remedy."""

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
    """A row of the table. `examine` yields faults and warnings; without any, all is well.

    `seconds`: its time limit.
    """

    name: str
    group: str
    examine: Callable[[Services], Iterable[Diagnosis]]
    seconds: float = MOST_SECONDS
