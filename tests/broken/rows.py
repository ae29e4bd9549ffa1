"""What a break is: how it is made, and how it is seen."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.broken.site import Site

Make = Callable[[Site], AbstractContextManager[object]]


def do_nothing(_site: Site) -> None:
    """The state alone is enough."""


@dataclass(frozen=True)
class Break:
    """`make` breaks a site and mends it at its end; `use`: what happens meanwhile.

    `part`, `word`: of `/readyz`, what is not well; empty where nothing of ours is, on purpose.
    `detail`, `log`, `status`: words that stand in its details, in a line of the log, in what
    `sync status` prints; empty: nothing is said there, on purpose. `code`: how `sync status` ends.
    `is_apart`: it is asked by a process without root's powers.
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
