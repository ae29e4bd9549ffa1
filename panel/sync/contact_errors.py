"""Work on several contacts of an organization: a failure of one does not stop the others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from panel.errors import GiveUp, PanelError, Paused, TryLater, Unauthorized

CONCERNING_ALL = ("rate_limited", "database")  # codes of errors that are no single contact's
CONCERNING_ONE = ("not_permitted",)  # codes of `Unauthorized` that may be one record's alone
FAILURES_IN_A_ROW = 3  # then it is Chatwoot that does not answer, not one of the contacts
T = TypeVar("T")


@dataclass(frozen=True)
class ContactErrors:
    """Chatwoot's refusals of several contacts, and the first error among them."""

    refused: tuple[str, ...] = ()
    error: PanelError | None = None

    def __add__(self, other: "ContactErrors") -> "ContactErrors":
        return ContactErrors(self.refused + other.refused, self.error or other.error)

    def raise_trouble(self) -> None:
        """Raise the error before the refusals: the try is repeated, and shows a refusal again."""
        if self.error:
            raise self.error
        if self.refused:
            raise GiveUp("contact_refused", "; ".join(self.refused))


def work_on_each(work: Callable[[T], str], items: Iterable[T]) -> ContactErrors:
    """`work` returns what Chatwoot refused, or "". A contact that fails does not stop the others.

    An error that concerns all of them is raised at once; so is the last of several in a row.
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
    # A firewall's refusal concerns one record: a word in it may be the reason.
    return isinstance(error, Paused) or error.code in CONCERNING_ALL
