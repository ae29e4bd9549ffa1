"""The page's words about the customer, and a search in it."""

from panel.upstream.chatwoot import ID_ATTRIBUTE
from tests.browser.conftest import Demo, Panel


def written(demo: Demo, conversation: int) -> object:
    return demo.chat.conversations[conversation]["custom_attributes"].get(ID_ATTRIBUTE)


def markup(panel: Panel) -> str:
    return str(panel.frame.evaluate("document.documentElement.outerHTML"))


def search(panel: Panel, words: str) -> None:
    panel.find("#query").fill(words)
