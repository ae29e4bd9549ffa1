"""The row of a break: how to make it, and how it is seen."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.broken.site import Site

Make = Callable[[Site], AbstractContextManager[object]]


def do_nothing(_site: Site) -> None:
    """Do nothing: the broken state alone is enough."""


@dataclass(frozen=True)
class Break:
    """`make` breaks a site and mends it at its end; `use`: what happens meanwhile.

    `part`, `word`: the part of `/readyz` that is not well, and its word; empty where our parts are
    well, on purpose. `detail`, `log`, `status`: words in the details, in a line of the log, in the
    output of `sync status`; empty: that place is silent, on purpose. `code`: the exit code of `sync
    status`. `is_apart`: `sync status` runs in a process without root's powers. `check`, `cause`:
    the check that `doctor` calls at fault, and a word of the cause; empty: part and word.
    `is_named`: `doctor` can see the break; False: only the process that it befalls can.
    """

    name: str
    make: Make
    use: Callable[[Site], object] = do_nothing
    part: str = ""
    word: str = ""
    detail: str = ""
    log: str = ""
    status: str = ""
    code: int = 1
    is_apart: bool = False
    check: str = ""
    cause: str = ""
    is_named: bool = True
