"""A visit to the built-in worlds, and an agent's decisions in it."""

from tests.conftest import attribute


def shown(html: str) -> tuple[str | None, ...]:
    return tuple(attribute(html, name) for name in ("data-panel", "data-organization", "data-link"))
