"""The panel's needs in Chatwoot: attribute definitions, a dashboard app, a webhook."""

from dataclasses import dataclass

CONTACT_MODEL, CONVERSATION_MODEL = 1, 0  # Chatwoot's numbers of the attribute models
TEXT, NUMBER, DATE, LIST = 0, 1, 5, 6
MODELS = {CONTACT_MODEL: "contact_attribute", CONVERSATION_MODEL: "conversation_attribute"}
TYPES = {TEXT: "text", NUMBER: "number", DATE: "date", LIST: "list"}
TITLE = "MIDDAG"  # the title of the dashboard app, and the name of the webhook
EVENTS = [
    "conversation_created",
    "conversation_updated",
    "conversation_status_changed",
    "contact_created",
    "contact_updated",
    "message_created",
]
WEBHOOK_PATH = "/sync/chatwoot"


@dataclass(frozen=True)
class Definition:
    """A custom attribute of ours, as Chatwoot's settings show it."""

    model: int
    key: str
    name: str
    type: int = TEXT
    values: tuple[str, ...] = ()
    description: str = ""


DEFINITIONS = (
    Definition(CONTACT_MODEL, "middag_organization_id", "MIDDAG organization id"),
    Definition(CONTACT_MODEL, "middag_organization", "MIDDAG organization"),
    Definition(CONTACT_MODEL, "middag_role", "MIDDAG role"),
    Definition(
        CONTACT_MODEL,
        "middag_billing_entity",
        "MIDDAG billing entity",
        LIST,
        ("middag_br", "middag_global"),
    ),
    Definition(CONTACT_MODEL, "middag_plan", "MIDDAG plan"),
    Definition(
        CONTACT_MODEL,
        "middag_entitlement_status",
        "MIDDAG entitlements",
        LIST,
        ("suspended", "active", "expired", "cancelled", "none"),
    ),
    Definition(CONTACT_MODEL, "middag_active_entitlements", "MIDDAG active entitlements", NUMBER),
    Definition(CONTACT_MODEL, "middag_next_expiry", "MIDDAG next expiry", DATE),
    Definition(CONVERSATION_MODEL, "middag_organization_id", "MIDDAG organization id"),
    Definition(CONVERSATION_MODEL, "middag_organization", "MIDDAG organization"),
)
