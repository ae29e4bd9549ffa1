"""What the page says of the customer, and a search in it."""

from panel.sync.reconcile import Reconciler
from panel.upstream.chatwoot import ID_ATTRIBUTE
from tests.browser.conftest import Demo, Panel


def written(demo: Demo, conversation: int) -> object:
    return demo.chat.conversations[conversation]["custom_attributes"].get(ID_ATTRIBUTE)


def markup(panel: Panel) -> str:
    return str(panel.frame.evaluate("document.documentElement.outerHTML"))


def search(panel: Panel, words: str) -> None:
    panel.find("#query").fill(words)


def learn(demo: Demo, *organizations: int) -> None:
    """The real pass, without its engine."""
    shared = demo.services
    tools = (shared.directory, shared.search_index, shared.links, shared.locks)
    contacts = Reconciler(shared.settings, shared.back_office, shared.chatwoot, *tools)
    for organization in organizations:
        contacts.bring_in_line(organization, ())
