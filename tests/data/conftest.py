"""A database of each kind for the tests of this folder, as those of the writing wing have it."""

from tests.sync.conftest import cluster, url

__all__ = ["cluster", "url"]
