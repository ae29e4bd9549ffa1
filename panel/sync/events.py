"""The kinds of hooks, a row each: which sections it touches, and whether Chatwoot must learn of it.

The catalogue: contracts/middag.md §7 (24 kinds), and what it lacks but the wire format has: people,
the end of an organization, and any further kind of the four groups that the panel shows. A kind is
a doorbell: we go and read the present truth, so a row too many costs a call and never an error.
"""

from dataclasses import dataclass

ORGANIZATION_SECTION, ORDERS_SECTION, QUOTES_SECTION, LICENSES_SECTION = (
    "organization",
    "orders",
    "quotes",
    "licenses",
)


@dataclass(frozen=True)
class Kind:
    """`name`: the event, or `group.*` for the rest of a group; `learns`: a pass is needed."""

    name: str
    touches: tuple[str, ...] = ()
    learns: bool = False


KINDS = (
    Kind("organization.created", (ORGANIZATION_SECTION,), learns=True),
    Kind("organization.updated", (ORGANIZATION_SECTION,), learns=True),
    Kind("organization.verified", (ORGANIZATION_SECTION,), learns=True),
    Kind(
        "organization.deleted",
        (ORGANIZATION_SECTION, ORDERS_SECTION, QUOTES_SECTION, LICENSES_SECTION),
        learns=True,
    ),
    # A license follows its entitlement, and the plan is said to hang on one.
    Kind("entitlement.activated", (LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("entitlement.suspended", (LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("entitlement.expired", (LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("entitlement.cancelled", (LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("entitlement.renewed", (LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("entitlement.*", (LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("order.created", (ORDERS_SECTION,)),
    # Payment makes entitlements, and with them licenses, "within seconds" (§5.4).
    Kind("order.paid", (ORDERS_SECTION, LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("order.refunded", (ORDERS_SECTION, LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("order.*", (ORDERS_SECTION, LICENSES_SECTION, ORGANIZATION_SECTION), learns=True),
    Kind("quote.created", (QUOTES_SECTION,)),
    # An accepted quote has an order (`order_id`, §4.3).
    Kind("quote.accepted", (QUOTES_SECTION, ORDERS_SECTION)),
    Kind(
        "quote.paid",
        (QUOTES_SECTION, ORDERS_SECTION, LICENSES_SECTION, ORGANIZATION_SECTION),
        learns=True,
    ),
    Kind("quote.expired", (QUOTES_SECTION,)),
    Kind("quote.*", (QUOTES_SECTION, ORDERS_SECTION)),
    # On a site of the customer: the entitlement, all that Chatwoot knows of, stays as it is.
    Kind("license.activated", (LICENSES_SECTION,)),
    Kind("license.deactivated", (LICENSES_SECTION,)),
    Kind("license.expired", (LICENSES_SECTION,)),
    Kind("license.*", (LICENSES_SECTION,)),
    Kind("collaborator.added", learns=True),
    Kind("collaborator.updated", learns=True),
    Kind("collaborator.removed", learns=True),
    # Of ours, but neither the panel nor Chatwoot shows them: kept, and done at once.
    Kind("ticket.created"),
    Kind("ticket.completed"),
    Kind("ticket.sla_breached"),
    Kind("invoice.issued"),
    Kind("tax_invoice.issued"),
    Kind("tax_invoice.failed"),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


def find_kind(event: str) -> Kind | None:
    """The row of this event, or that of its group; None when it is no kind of ours."""
    group, _, rest = event.partition(".")
    return _BY_NAME.get(event) or (_BY_NAME.get(f"{group}.*") if rest else None)
