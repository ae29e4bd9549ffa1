"""The table of health checks: what each asks, and whether it may be asked every few seconds.

`/readyz` shows the cheap ones. A check answers "ok", or one word for what is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from panel.data import db
from panel.errors import PanelError
from panel.services import Services


@dataclass(frozen=True)
class Check:
    """`name` is public: monitoring reads it. `cheap`: it asks neither of the outside worlds."""

    name: str
    ask: Callable[[Services], str]
    cheap: bool = True


def _ask_database(shared: Services) -> str:
    try:
        with db.transaction(shared.database) as connection:
            return "ok" if connection.scalar(select(1)) == 1 else "away"
    except PanelError:
        return "away"


def _ask_cache(shared: Services) -> str:
    return "ok" if shared.cache.store.works() else "away"


def _ask_back_office(shared: Services) -> str:
    return "paused" if shared.back_office.paused_until else "ok"


def _ask_documents(shared: Services) -> str:
    """Of the back office: those that could not be read, and why."""
    unread = shared.back_office.unread.list_codes()
    return ", ".join(f"{name}: {code}" for name, code in sorted(unread.items())) or "ok"


def _ask_chatwoot(shared: Services) -> str:
    return "paused" if shared.chatwoot.paused_until else "ok"


CHECKS = (
    Check("database", _ask_database),
    Check("cache", _ask_cache),
    Check("back_office", _ask_back_office),
    Check("documents", _ask_documents),
    Check("chatwoot", _ask_chatwoot),
)


def run_checks(shared: Services, *, cheap_only: bool) -> dict[str, str]:
    """The answer of each check, by its name."""
    chosen = [check for check in CHECKS if check.cheap or not cheap_only]
    return {check.name: check.ask(shared) for check in chosen}
