"""Acquaintance: the organizations that a search finds although no pass has seen them.

MIDDAG Account lists no organizations. So the search knows those that passes have seen (the
directory), and those that an agent was shown. The search index has the words of the latter; their
names stand in the kept copies.
"""

import logging

from panel.cache.entries import Reading
from panel.data.search_index import make_terms
from panel.errors import PanelError
from panel.models.organizations import Organization
from panel.models.phones import normalize_phone
from panel.services import Services

log = logging.getLogger(__name__)


def learn_organization(services: Services, reading: Reading[Organization]) -> None:
    """Add the words of the organization to the search index, unless a pass has seen it: a pass
    knows more. An organization that an administrator had forgotten is not added.

    While the database is silent nothing is added; the next read of the organization adds it.
    """
    organization, directory = reading.value, services.directory
    try:
        is_seen = directory.get_organizations([organization.id])
        if not is_seen and not directory.forgotten.covers_organization(organization.id):
            services.search_index.replace_terms(organization.id, _list_words(organization))
    except PanelError as error:
        log.info("organization %d was not learned: %s", organization.id, error.code)


def _list_words(organization: Organization) -> dict[str, str]:
    phone = normalize_phone(organization.phone, organization.country or "BR")
    names = [organization.name, organization.legal_name]
    return make_terms(
        organization.id, names, organization.tax_id, [organization.email], [phone], ()
    )
