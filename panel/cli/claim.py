"""Setup's decision about the account's mark: claim it, move it along, or leave it to another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from panel.cli.definitions import CONTACT_MODEL, Definition
from panel.cli.survey import Survey
from panel.sync.installation_mark import (
    MOVED,
    OURS,
    UNMARKED,
    Mark,
    compare_marks,
    write_mark,
)
from panel.upstream.chatwoot import ID_ATTRIBUTE

TAKE_OVER = "`flask --app app setup --take-over`"


@dataclass(frozen=True)
class Claim:
    """`ours`: our mark; `account_mark`: the account's mark; `verdict`: the comparison of both.

    `is_ours`: the account is to have our mark, or has it.
    """

    ours: Mark
    account_mark: Mark | None
    verdict: str
    is_ours: bool

    def __str__(self) -> str:
        return f"the panel at {self.ours.place}"

    def describe(self, definition: Definition, row: dict[str, Any] | None) -> Definition:
        """Return the definition, with our mark if this definition carries the mark."""
        is_marked = (definition.model, definition.key) == (CONTACT_MODEL, ID_ATTRIBUTE)
        if not is_marked or not self.is_ours:
            return definition
        if self.account_mark and self.verdict == OURS and not self.ours.id:
            return definition  # the present mark has an id, which we do not know now
        present = (row or {}).get("attribute_description")
        return replace(definition, description=write_mark(present, self.ours))

    def find_problems(self) -> Iterator[str]:
        """Yield the reason why this installation executes nothing, or might execute nothing."""
        if self.is_ours:
            return
        if self.verdict == UNMARKED:
            yield (
                "Another panel is registered in this account, so it is not marked as ours, and two "
                f"may write into it. If this is the one that should: {TAKE_OVER}."
            )
        else:
            place, number = (
                (self.account_mark.place, self.account_mark.id) if self.account_mark else ("", "")
            )
            yield (
                f"Another installation writes into this account: the panel at {place} (installation"
                f" {number or 'unknown'}). Nothing is executed here, and hooks are kept. If this is"
                f" the one that should, because it moved or replaces the other: {TAKE_OVER}."
            )


def make_claim(survey: Survey, ours: Mark, take_over: bool) -> Claim:
    """Decide. The account is ours if it has our mark, or no mark and no other panel, or a mark that
    moved with us.

    A former address is one whose tab or webhook shows that it was ours (see `survey`).
    """
    mark = survey.mark
    verdict = compare_marks(mark, ours)
    is_free = verdict == UNMARKED and not survey.others
    # Only `--take-over` takes over the mark of another database, because that installation may be
    # running.
    came_along = mark is not None and mark.place in survey.former and verdict == MOVED
    return Claim(ours, mark, verdict, take_over or verdict == OURS or is_free or came_along)
