"""The row that a pass keeps of an organization: its facts, and a summary of its entitlements.

Legible values decide. Where none is legible, the last pass's value stays: an illegible value clears
nothing in Chatwoot.
"""

from dataclasses import replace
from datetime import date, datetime

from panel.data.directory import Known
from panel.models.dates import find_day, is_past
from panel.models.licenses import Entitlement
from panel.models.organizations import Organization
from panel.models.phones import is_switchboard, normalize_phone
from panel.models.text import normalize_email
from panel.sync.people import STATUSES_BY_WEIGHT, find_status
from panel.upstream.chatwoot import LONGEST_NAME
from panel.upstream.documents import RecordList

# The fields of an answer from which each fact is read. The phone is not among them: whether it is a
# switchboard's depends on its original spelling, which is not kept.
FIELDS_OF = {
    "name": ("name",),
    "billing_entity": ("billing_entity", "company"),
    "plan": ("plan",),
    "tax_id": ("cnpj", "tax_id"),
    "email": ("email",),
    "city": ("city",),
}


def keep_known(truth: Organization, before: Known | None) -> Organization:
    """Return the organization, with the last pass's values in place of illegible ones."""
    odd = {oddity.field for oddity in truth.oddities}
    unread = [name for name, fields in FIELDS_OF.items() if odd.intersection(fields)]
    missing = [name for name in unread if name == "name" or getattr(truth, name) is None]
    return replace(truth, **{name: getattr(before, name) for name in missing}) if before else truth


def describe(
    truth: Organization, entitlements: RecordList[Entitlement], before: Known | None, now: datetime
) -> Known:
    """Make the row of an organization; `now` is in the zone in which days are counted."""
    company = Known(
        id=truth.id,
        name=truth.name[:LONGEST_NAME],
        billing_entity=truth.billing_entity,
        plan=truth.plan,
        tax_id=truth.tax_id,
        email=normalize_email(truth.email),
        phone=normalize_phone(truth.phone, truth.country),
        phone_shared=is_switchboard(truth.phone, truth.country),
        city=truth.city,
        entitlement_status=before.entitlement_status if before else "none",
        active_entitlements=before.active_entitlements if before else 0,
        next_expiry=before.next_expiry if before else None,
    )
    # A status that nobody knows does not say that a customer has nothing.
    readable = [
        entitlement
        for entitlement in entitlements.rows
        if entitlement.status_value in STATUSES_BY_WEIGHT
    ]
    summary = company if entitlements.received and not readable else _sum_up(company, readable, now)
    return (
        _keep_higher_values(summary, before, now.date()) if entitlements.cut and before else summary
    )


def _sum_up(company: Known, entitlements: list[Entitlement], now: datetime) -> Known:
    statuses = {entitlement.status_value for entitlement in entitlements}
    ends = [
        entitlement.expires for entitlement in entitlements if entitlement.status_value == "active"
    ]
    ahead = [end for end in ends if isinstance(end, date) and not is_past(end, now)]
    next_expiry = min((find_day(end, now.tzinfo) for end in ahead), default=None)
    unread = not ahead and any(end is not None and not isinstance(end, date) for end in ends)
    return replace(
        company,
        entitlement_status=find_status(statuses),
        active_entitlements=len(ends),
        next_expiry=company.next_expiry if unread else next_expiry,
    )


def _keep_higher_values(company: Known, before: Known, today: date) -> Known:
    """Keep the higher values: an incomplete list lowers none that a whole list gave."""
    ends = [row.next_expiry for row in (company, before)]
    return replace(
        company,
        entitlement_status=find_status({company.entitlement_status, before.entitlement_status}),
        active_entitlements=max(company.active_entitlements, before.active_entitlements),
        next_expiry=min((end for end in ends if end and end >= today), default=None),
    )
