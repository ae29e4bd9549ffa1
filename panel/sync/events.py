"""The kinds of hooks, a row each: the documents that the kind touches, and whether it needs a pass.

The plugin's documentation names 24 kinds. The table adds those of people, the end of an
organization, and any further kind of the four groups that the panel shows. A hook only tells that
something changed, and we read the present values ourselves. So a needless row costs a call, and
never causes an error.
"""

from dataclasses import dataclass
from typing import Any

from panel.upstream.documents import DOCUMENTS, LICENSES, ORDERS, ORGANIZATION, QUOTES, Document


@dataclass(frozen=True)
class Kind:
    """`name`: the event, or `group.*` for the rest of a group; `learns`: a pass is needed."""

    name: str
    documents: tuple[Document[Any], ...] = ()
    learns: bool = False

    @property
    def touches(self) -> tuple[str, ...]:
        """Return the names of the documents whose sections are read again."""
        return tuple(document.name for document in self.documents)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("organization.created", (ORGANIZATION,), learns=True),
        Kind("organization.updated", (ORGANIZATION,), learns=True),
        Kind("organization.verified", (ORGANIZATION,), learns=True),
        Kind("organization.deleted", DOCUMENTS, learns=True),
        # A license follows its entitlement, and the documentation has the plan depend on one.
        Kind("entitlement.activated", (LICENSES, ORGANIZATION), learns=True),
        Kind("entitlement.suspended", (LICENSES, ORGANIZATION), learns=True),
        Kind("entitlement.expired", (LICENSES, ORGANIZATION), learns=True),
        Kind("entitlement.cancelled", (LICENSES, ORGANIZATION), learns=True),
        Kind("entitlement.renewed", (LICENSES, ORGANIZATION), learns=True),
        Kind("entitlement.*", (LICENSES, ORGANIZATION), learns=True),
        Kind("order.created", (ORDERS,)),
        # Payment makes entitlements, and with them licenses, "within seconds" (documentation).
        Kind("order.paid", (ORDERS, LICENSES, ORGANIZATION), learns=True),
        Kind("order.refunded", (ORDERS, LICENSES, ORGANIZATION), learns=True),
        Kind("order.*", (ORDERS, LICENSES, ORGANIZATION), learns=True),
        Kind("quote.created", (QUOTES,)),
        # An accepted quote has an order (`order_id`).
        Kind("quote.accepted", (QUOTES, ORDERS)),
        Kind("quote.paid", (QUOTES, ORDERS, LICENSES, ORGANIZATION), learns=True),
        Kind("quote.expired", (QUOTES,)),
        Kind("quote.*", (QUOTES, ORDERS)),
        # A license changes on a customer's site. Its entitlement stays the same, and we write only
        # entitlements into Chatwoot.
        Kind("license.activated", (LICENSES,)),
        Kind("license.deactivated", (LICENSES,)),
        Kind("license.expired", (LICENSES,)),
        Kind("license.*", (LICENSES,)),
        # The section of the organization shows its people.
        Kind("collaborator.added", (ORGANIZATION,), learns=True),
        Kind("collaborator.updated", (ORGANIZATION,), learns=True),
        Kind("collaborator.removed", (ORGANIZATION,), learns=True),
        # Documented kinds that neither the panel nor Chatwoot shows: kept, and done at once.
        Kind("ticket.created"),
        Kind("ticket.completed"),
        Kind("ticket.sla_breached"),
        Kind("invoice.issued"),
        Kind("tax_invoice.issued"),
        Kind("tax_invoice.failed"),
    )
}


GROUPS = tuple(sorted({name.partition(".")[0] for name in KINDS}))
OTHER_GROUP = "other"


def find_group(event: str) -> str:
    """Return the group of a kind, from `GROUPS`; `OTHER_GROUP` for an unknown kind."""
    return event.partition(".")[0] if find_kind(event) else OTHER_GROUP


def find_kind(event: str) -> Kind | None:
    """Return the row of this event, or that of its group; None for an unknown group."""
    group, _, rest = event.partition(".")
    return KINDS.get(event) or (KINDS.get(f"{group}.*") if rest else None)
