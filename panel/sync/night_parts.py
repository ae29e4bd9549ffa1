"""The parts that a night works with, and the words for its troubles."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from panel.data.tasks import Task
from panel.errors import PanelError
from panel.sync.intake import NotKept
from panel.sync.night_contacts import ContactComparison
from panel.sync.night_strays import Strays

DATABASE_TROUBLE = (SQLAlchemyError, OSError, NotKept)


@dataclass(frozen=True)
class Inbox:
    """`line_up(organizations, kind)` lines up passes; `ask(task, organization)` keeps a task;
    `was_deleted(organization)` tells whether the plugin ever called it deleted."""

    line_up: Callable[[Collection[int], str], None]
    ask: Callable[[Task, int | None], object]
    was_deleted: Callable[[int], bool]


@dataclass(frozen=True)
class Comparisons:
    """`contacts`: compares the contacts that Chatwoot lists as ours; `strays`: finds those of which
    no webhook has told us."""

    contacts: ContactComparison
    strays: Strays


def is_of_database(error: Exception) -> bool:
    return isinstance(error, DATABASE_TROUBLE) or getattr(error, "code", "") == "database"


def describe_trouble(error: Exception) -> str:
    """Describe the trouble for people. The text of an unexpected error is left out, because it may
    hold anything."""
    return str(error) if isinstance(error, PanelError) else type(error).__name__
