"""Organizations that passes have learned, without the engine that executes passes."""

from typing import Protocol

from panel.services import Services
from panel.sync.reconcile import Reconciler


class Installation(Protocol):
    @property
    def services(self) -> Services: ...


def learn(installation: Installation, *organizations: int) -> None:
    """Run the real pass of each organization."""
    shared = installation.services
    tools = (shared.directory, shared.search_index, shared.links, shared.locks)
    contacts = Reconciler(shared.settings, shared.back_office, shared.chatwoot, *tools)
    for organization in organizations:
        contacts.bring_in_line(organization, ())
