"""A WordPress for all tests of a run, and a receiver of hooks; each test finds both empty."""

from collections.abc import Iterator

import pytest

from tests.wordpress.installation import installation
from tests.wordpress.programs import ABSENT, missing
from tests.wordpress.receiver import SECRET, Receiver
from tests.wordpress.sites import Site


@pytest.fixture(scope="session")
def _installed() -> Iterator[Site]:
    if names := missing():
        pytest.skip(ABSENT.format(", ".join(names)))
    with installation() as site:
        site.get()  # this makes the tables, and schedules the job
        yield site


@pytest.fixture(scope="session")
def _receiving() -> Receiver:
    return Receiver()


@pytest.fixture
def receiver(_receiving: Receiver) -> Iterator[Receiver]:
    """A stand-in for the panel on a socket, which ends before the site is cleaned, so that no
    drain goes on."""
    _receiving.forget()
    _receiving.start()
    yield _receiving
    _receiving.stop()
    _receiving.hang.clear()


@pytest.fixture
def site(_installed: Site, receiver: Receiver) -> Iterator[Site]:
    """The WordPress, set up for the receiver, with an empty queue and no facts about the
    sending."""
    _installed.extra = ""
    _installed.defines.clear()
    _installed.configure(
        MIDDAG_PANEL_URL=f"'{receiver.url}'", CHATWOOT_CONTACT_VIEW_SECRET=f"'{SECRET}'"
    )
    yield _installed
    _installed.settle()
