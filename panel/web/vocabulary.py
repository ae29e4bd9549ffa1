"""The vocabulary of records: the words for statuses, payment methods, channels and roles.

The words are English, and are translated when they are rendered. A value that stands in no table is
shown as it came: an unknown value is kept, not dropped. The statuses are those of MIDDAG Account's
status reference, of its admin guide and of WooCommerce.
"""

import re
from collections.abc import Mapping

ORDER_LABELS = {
    "pending": "Awaiting payment",
    "on-hold": "On hold",
    "processing": "Paid, in review",
    "failed": "Payment failed",
    "completed": "Paid and completed",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
}

QUOTE_LABELS = {
    "draft": "Draft",
    "sent": "Sent",
    "viewed": "Viewed",
    "accepted": "Accepted",
    "paid": "Paid",
    "fulfilled": "Delivered",
    "rejected": "Declined",
    "expired": "Expired",
    "lapsed": "Expired",
    "cancelled": "Withdrawn",
    "refunded": "Paid back",
}

LICENSE_LABELS = {
    "active": "Active",
    "expiring": "Expires soon",
    "expired": "Expired",
    "disabled": "Disabled",
    "suspended": "Suspended",
    "cancelled": "Revoked",
}

# Entitlements have words of their own: in Portuguese an entitlement is masculine, and a license is
# not.
ENTITLEMENT_LABELS = {
    "active": "In force",
    "suspended": "Suspended for now",
    "expired": "Ended",
    "cancelled": "Cancelled",
}
ENTITLEMENT_BADGES = {
    "active": "teal",
    "suspended": "amber",
    "cancelled": "ruby",
}

# The result of checking the company's tax id at the registry; it says nothing of who is writing.
TAX_ID_CHECKS = {
    "verified": "%(tax_id)s checked",
    "pending": "%(tax_id)s not checked yet",
    "under-review": "%(tax_id)s being checked",
    "rejected": "%(tax_id)s check failed",
}

ORGANIZATION_STATUSES = {
    "draft": "Draft",
    "pending": "Awaiting approval",
    "private": "Private",
    "archived": "Archived",
    "inactive": "Inactive",
    "trash": "Deleted",
}

# The keys are WooCommerce's names of its gateways, and those of gateways that Brazilian shops
# install.
PAYMENT_METHODS = {
    "stripe": "Card (Stripe)",
    "credit-card": "Credit card",
    "debit-card": "Debit card",
    "card": "Card",
    "pix": "Pix",
    "boleto": "Boleto",
    "bank-transfer": "Bank transfer",
    "bacs": "Bank transfer",
    "wire": "Bank transfer",
    "cheque": "Check",
    "cod": "Cash on delivery",
    "cash": "Cash",
    "paypal": "PayPal",
    "mercado-pago": "Mercado Pago",
    "mercadopago": "Mercado Pago",
    "pagseguro": "PagSeguro",
    "pagbank": "PagBank",
    "asaas": "Asaas",
    "invoice": "Invoice",
    "free": "Free",
    "manual": "Manual payment",
}

CHANNELS = {
    "Channel::WebWidget": "site chat",
    "Channel::Email": "e-mail",
    "Channel::Whatsapp": "WhatsApp",
    "Channel::TwilioSms": "SMS",
    "Channel::Sms": "SMS",
    "Channel::Telegram": "Telegram",
    "Channel::FacebookPage": "Facebook",
    "Channel::Instagram": "Instagram",
    "Channel::Line": "LINE",
    "Channel::TwitterProfile": "Twitter",
    "Channel::Tiktok": "TikTok",
    "Channel::Voice": "phone call",
    "Channel::Api": "API",
}

# The role of the person in the organization.
ROLES = {
    "owner": "owner",
    "admin": "administrator",
    "member": "member",
    "guest": "guest",
    "organization": "the company's own contact",
    "pending": "invited, not yet a member",
}

# The step that an invited person has not taken yet.
INVITES = {
    "pending": "invitation not answered yet",
    "rejected": "declined the invitation",
    "expired": "the invitation has expired",
}

# The areas that a person of an organization may manage there (`Collaborator.rights`).
AREAS = {
    "org": "company data",
    "finances": "finances",
    "orders": "orders",
    "licenses": "licenses",
    "tickets": "tickets",
    "quotes": "quotes",
    "contracts": "contracts",
    "documents": "documents",
    "downloads": "downloads",
}


def describe_unknown(raw: str) -> str:
    """Make words of a status without a row: `under_negotiation` is read as `Under negotiation`."""
    if not re.fullmatch(r"[a-z]+([_-][a-z]+)*", raw):
        return raw
    return re.sub("[_-]", " ", raw).capitalize()


def find_payment_method(name: str) -> str:
    """Return the method's own name, or the text with blanks in place of its underscores."""
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    label = PAYMENT_METHODS.get(key) or PAYMENT_METHODS.get(key.removeprefix("woo-"))
    return label or find_gateway(key) or name.replace("_", " ").strip()


def find_gateway(key: str) -> str:
    """Find the method inside a gateway's own name: `woo-mercado-pago-pix`, `stripe-boleto`."""
    parts = set(key.split("-"))
    labels: Mapping[str, str] = {
        word: PAYMENT_METHODS[word] for word in ("pix", "boleto", "stripe")
    }
    return next((label for word, label in labels.items() if word in parts), "")
