"""Panels before an account in which only others have set something up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.setups import account_of_others
from tests.conftest import MakePanel, Worlds, worlds_on_sockets


@pytest.fixture(scope="module")
def account_worlds() -> Iterator[Worlds]:
    with worlds_on_sockets() as both:
        yield both


@pytest.fixture
def make(account_worlds: Worlds, tmp_path: Path) -> Iterator[MakePanel]:
    with account_of_others(account_worlds, tmp_path) as maker:
        yield maker
