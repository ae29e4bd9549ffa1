"""News: an opened panel showed an organization newer than the directory has it. The next night
compares it first."""

from contextlib import suppress
from typing import Any

from panel.data.directory import Directory, Known
from panel.data.readings import Readings
from panel.errors import PanelError
from panel.models.organizations import Organization
from panel.models.text import normalize_email
from panel.sync.description import FIELDS_OF, keep_known
from panel.upstream.chatwoot import LONGEST_NAME
from panel.upstream.documents import ORGANIZATION, Document


class News:
    """The listener for `BackOffice.on_read`: an opening waits for its one query, and never fails
    because of it."""

    def __init__(self, directory: Directory, readings: Readings) -> None:
        self._directory = directory
        self._readings = readings

    def note(self, document: Document[Any], organization: int, value: object) -> None:
        """Bring the organization forward if the document differs from the directory."""
        if document is not ORGANIZATION or not isinstance(value, Organization):
            return
        with suppress(PanelError):
            company = self._directory.get_organizations([organization]).get(organization)
            if company and _is_newer(value, company):
                self._readings.bring_forward([organization])


def _is_newer(answer: Organization, company: Known) -> bool:
    """Tell whether the organization's own facts differ. Its people and entitlements stand in other
    documents."""
    truth = keep_known(answer, company)
    facts = {name: getattr(truth, name) for name in FIELDS_OF}
    facts |= {"name": truth.name[:LONGEST_NAME], "email": normalize_email(truth.email)}
    return any(value != getattr(company, name) for name, value in facts.items())
