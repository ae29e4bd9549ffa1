"""The mark of an installation in Chatwoot: which one writes into the account.

Two installations on one account (a staging beside the production) would overwrite each other's
attributes for ever. So `setup` writes who we are into the description of our contact attribute
`middag_organization_id`: an administrator's token may write it, and any agent's read it. An
installation that finds the mark of another one executes no passes, and keeps hooks.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panel.data.installation import Installation
from panel.errors import PanelError, Unauthorized
from panel.settings import Settings
from panel.upstream.chatwoot import ID_ATTRIBUTE, Chatwoot

log = logging.getLogger(__name__)
# The verdicts. MOVED: the address is another one, and the database is ours as far as we know;
# somebody may have copied it.
OURS, UNMARKED, FOREIGN, MOVED, UNREADABLE = "ours", "unmarked", "foreign", "moved", "unreadable"
HELD_BACK_BY = (FOREIGN, MOVED)
MARKED_MODEL = "contact_attribute"
DEFINITIONS_PATH = "custom_attribute_definitions?attribute_model=1"  # of contacts
MARK_FORM = re.compile(r"Kept by the MIDDAG panel at (\S+) \(installation ([0-9a-f]*)\)\.")


@dataclass(frozen=True)
class Mark:
    """`place`: PANEL_URL; `id`: of the database. Either is empty where it is not known."""

    place: str = ""
    id: str = ""

    def __str__(self) -> str:
        return f"Kept by the MIDDAG panel at {self.place} (installation {self.id})."


def read_mark(definition: Mapping[str, Any] | None) -> Mark | None:
    """Return the mark in the definition of our attribute; None without a mark."""
    match = MARK_FORM.search(str((definition or {}).get("attribute_description") or ""))
    return Mark(match[1], match[2]) if match else None


def find_marked(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the definition among these that carries the mark."""
    key = (MARKED_MODEL, ID_ATTRIBUTE)
    marked_rows = (
        row for row in rows if (row.get("attribute_model"), row.get("attribute_key")) == key
    )
    return next(marked_rows, None)


def write_mark(description: object, mark: Mark) -> str:
    """Return the description with our mark; an administrator's own text in it stays."""
    text = str(description or "")
    if MARK_FORM.search(text):
        return MARK_FORM.sub(str(mark), text)
    return f"{text} {mark}".strip()


def compare_marks(mark: Mark | None, ours: Mark) -> str:
    """Return the verdict about a mark; a value that one side lacks is no difference."""
    if mark is None:
        return UNMARKED
    if mark.id and ours.id and mark.id != ours.id:
        return FOREIGN
    if mark.place and ours.place and mark.place != ours.place:
        return MOVED
    return OURS


class MarkReader:
    """Finds out which installation writes into the account, and stores the verdict."""

    def __init__(
        self,
        settings: Settings,
        chatwoot: Chatwoot,
        installation: Installation,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._place = settings.panel_url
        self._chatwoot = chatwoot
        self._installation = installation
        self._clock = clock

    def may_write(self) -> bool:
        """Ask Chatwoot whether this installation is the one that writes into the account.

        While Chatwoot does not answer, the last verdict counts. Without any verdict the answer is
        yes.
        """
        try:
            return self._look() not in HELD_BACK_BY
        except PanelError as error:
            log.info("whose mark Chatwoot has is not known now: %s", error)
            return self._read_verdict() not in HELD_BACK_BY

    def _look(self) -> str:
        before = self._installation.read()
        ours = Mark(self._place, before.id)
        try:
            answer = self._chatwoot.administer("GET", DEFINITIONS_PATH)
        except Unauthorized as error:
            if error.code != "not_permitted":
                raise
            self._installation.note_mark(UNREADABLE, "", self._clock())
            return UNREADABLE
        rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
        mark = read_mark(find_marked(rows))
        verdict = compare_marks(mark, ours)
        if verdict in HELD_BACK_BY and verdict != before.verdict:
            words = "another installation writes into this account, so no passes are executed here"
            log.error("%s, and hooks are kept; `sync status` says more. There: %s", words, mark)
        self._installation.note_mark(verdict, str(mark or ""), self._clock())
        return verdict

    def _read_verdict(self) -> str:
        try:
            return self._installation.read().verdict or ""
        except PanelError:
            return ""
