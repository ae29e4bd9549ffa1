"""People of Acme whose conversations get a name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.listening import Listening, listening_to

BIA, ANA = "bia@acme.example", "ana@acme.example"  # Ana is in two organizations
OTHERS = {"topic": "billing"}


@pytest.fixture
def listening(url: str, tmp_path: Path) -> Iterator[Listening]:
    with listening_to(url, tmp_path) as listening:
        yield listening
