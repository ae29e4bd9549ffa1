"""Acquaintance: the organizations that a search finds although no pass has seen them.

MIDDAG Account lists no organizations. So the search knows those that passes have seen (the
directory), and those that an agent was shown. Of an organization that an agent was shown, the words
stand in the search index, and the name in the kept copy.
"""

import logging
import time

from panel.cache.entries import Reading
from panel.data.search_index import make_terms
from panel.errors import PanelError
from panel.models.organizations import Organization
from panel.models.phones import normalize_phone
from panel.services import Services

LEARNED_SECONDS = 60.0
log = logging.getLogger(__name__)


def learn_organization(services: Services, reading: Reading[Organization]) -> None:
    """Add the words of the organization to the search index, unless a pass has seen it: a pass
    knows more. An organization that an administrator had forgotten is not added.

    While the database is silent nothing is added; the next read of the organization adds it. The
    same answer is learned once: all panels of an organization may ask for it within a second.
    """
    organization, directory = reading.value, services.directory
    if services.learned.get(organization.id) == reading.version:
        return
    try:
        is_seen = directory.get_organizations([organization.id])
        if directory.forgotten.covers_organization(organization.id):
            return
        if not is_seen:
            services.search_index.replace_terms(organization.id, _list_words(organization))
        services.learned.put(organization.id, reading.version, time.time() + LEARNED_SECONDS)
    except PanelError as error:
        log.info("organization %d was not learned: %s", organization.id, error.code)


def _list_words(organization: Organization) -> dict[str, str]:
    phone = normalize_phone(organization.phone, organization.country)
    names = [organization.name, organization.legal_name]
    return make_terms(
        organization.id, names, organization.tax_id, [organization.email], [phone], ()
    )
