"""Work on several contacts of an organization: a failure of one does not stop the others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from panel.errors import GiveUp, PanelError, Paused, TryLater, Unauthorized

CONCERNING_ALL = ("rate_limited", "database")  # codes of errors that concern all contacts
CONCERNING_ONE = ("not_permitted",)  # codes of `Unauthorized` that may concern one record alone
FAILURES_IN_A_ROW = 3  # so many mean that Chatwoot does not answer, whatever the contact
T = TypeVar("T")


@dataclass(frozen=True)
class ContactErrors:
    """Chatwoot's refusals of several contacts, and the first error among them."""

    refused: tuple[str, ...] = ()
    error: PanelError | None = None

    def __add__(self, other: "ContactErrors") -> "ContactErrors":
        return ContactErrors(self.refused + other.refused, self.error or other.error)

    def raise_trouble(self) -> None:
        """Raise the error, else the refusals. After an error the try is repeated, and meets the
        refusals again."""
        if self.error:
            raise self.error
        if self.refused:
            raise GiveUp("contact_refused", "; ".join(self.refused))


def work_on_each(work: Callable[[T], str], items: Iterable[T]) -> ContactErrors:
    """Do `work` on each item; it returns Chatwoot's refusal, or "".

    A contact that fails does not stop the others. An error that concerns all contacts is raised at
    once, and so is the last of several errors in a row.
    """
    outcome, in_a_row = ContactErrors(), 0
    for item in items:
        try:
            why = work(item)
            outcome, in_a_row = outcome + ContactErrors((why,) if why else ()), 0
        except PanelError as error:
            in_a_row += isinstance(error, TryLater | Unauthorized)
            if _concerns_all(error) or in_a_row >= FAILURES_IN_A_ROW:
                raise
            outcome += ContactErrors(error=error)
    return outcome


def _concerns_all(error: PanelError) -> bool:
    if isinstance(error, Unauthorized):
        return error.code not in CONCERNING_ONE
    # A firewall's refusal may concern one record alone: a word in that record may be the reason.
    return isinstance(error, Paused) or error.code in CONCERNING_ALL
