"""The panel with other lifetimes, which are no setting: to see what keeping copies is worth."""

from flask import Flask

from panel.application import create_app
from panel.cache.entries import Lifetimes
from panel.upstream import chatwoot, documents

NOTHING = Lifetimes(fresh=0, empty=0, kept=0, refused=0)
AGED = Lifetimes(fresh=0, empty=0)


def uncached() -> Flask:
    """Nothing is kept: neither the back office's answers nor Chatwoot's."""
    chatwoot.ACCESS_LIFETIMES = NOTHING
    return _with(NOTHING)


def aged() -> Flask:
    """Every kept copy has outlived its time."""
    return _with(AGED)


def _with(lifetimes: Lifetimes) -> Flask:
    for document in documents.DOCUMENTS:
        # Frozen, as nothing of the panel ever changes it.
        object.__setattr__(document, "lifetimes", lifetimes)
    return create_app()
