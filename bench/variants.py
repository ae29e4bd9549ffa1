"""Panels with other lifetimes, which no setting offers: they show the worth of kept copies."""

from flask import Flask

from panel.application import create_app
from panel.cache.entries import Lifetimes
from panel.upstream import chatwoot, documents

NOTHING = Lifetimes(fresh=0, empty=0, kept=0, refused=0)
AGED = Lifetimes(fresh=0, empty=0)


def uncached() -> Flask:
    """Make a panel that keeps neither the back office's answers nor Chatwoot's."""
    chatwoot.ACCESS_LIFETIMES = NOTHING
    return _with(NOTHING)


def aged() -> Flask:
    """Make a panel whose kept copies have all outlived their time."""
    return _with(AGED)


def _with(lifetimes: Lifetimes) -> Flask:
    for document in documents.DOCUMENTS:
        # The class is frozen, because the panel itself never changes a document.
        object.__setattr__(document, "lifetimes", lifetimes)
    return create_app()
