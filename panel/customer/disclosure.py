"""Disclosure: which kinds of value are masked. The table of kind × `PANEL_MASK` × trust.

All code that draws, searches or copies a value of the back office asks here. The values that the
contact shows in Chatwoot itself are not masked: the agent sees them beside the panel anyway.
"""

from panel.customer.matching import PROVEN
from panel.environment.variables import MASK_NAMES

AMOUNT, TAX_ID, LICENSE_KEY, EMAIL, PHONE_NUMBER, FREE_TEXT = VALUE_KIND_NAMES = (
    "amount",
    "tax_id",
    "license_key",
    "email",
    "phone",
    "free_text",  # what somebody typed may hold a key or a tax id
)
VALUE_KINDS = frozenset(VALUE_KIND_NAMES)
NOTHING = frozenset[str]()
# The sets of `MASK_NAMES` while the customer is unproven; a proven customer's values are shown.
WHILE_UNPROVEN = (VALUE_KINDS, frozenset({TAX_ID, LICENSE_KEY, FREE_TEXT}), NOTHING)
MASKED = dict(zip(MASK_NAMES, WHILE_UNPROVEN, strict=True))


def masked_kinds(mask: str, trust: str) -> frozenset[str]:
    """Return the kinds that may not be shown; `mask` is a row of `MASK_NAMES`."""
    return NOTHING if trust == PROVEN else MASKED[mask]
