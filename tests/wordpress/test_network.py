"""The must-use plugin in a network of sites, and on a server that cannot end a response early."""

import logging
import statistics
from collections.abc import Iterator

import pytest

from tests.wordpress.installation import built_in_server, installation, make_network
from tests.wordpress.programs import ABSENT, missing
from tests.wordpress.receiver import SECRET, Receiver
from tests.wordpress.sites import Site, poll
from tests.wordpress.test_looking import Administrator, rows

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def _network() -> Iterator[Site]:
    if names := missing():
        pytest.skip(ABSENT.format(", ".join(names)))
    with installation() as site:
        make_network(site)
        yield site


@pytest.fixture
def network(_network: Site, receiver: Receiver) -> Iterator[Site]:
    _network.configure(
        MIDDAG_PANEL_URL=f"'{receiver.url}'", CHATWOOT_CONTACT_VIEW_SECRET=f"'{SECRET}'"
    )
    yield _network
    _network.settle()


def fire(first: int, last: int | None = None) -> str:
    return f"tests_fire('middag/entitlement/suspended', {first}, {last or first});"


def test_each_site_of_a_network_is_heard_at_once(network: Site, receiver: Receiver) -> None:
    for record in range(1, 11):
        network.visit(fire(record), path="/second/" if record % 2 else "/")
        receiver.await_records(record, 5)
    network.visit(f"switch_to_blog( 2 ); {fire(11, 20)} restore_current_blog();")
    receiver.await_records(20)
    log.info("multisite: fired 20, arrived %d", len(set(receiver.records)))


def test_what_one_site_could_not_send_another_one_sends(network: Site, receiver: Receiver) -> None:
    receiver.stop()
    network.visit(fire(1, 10), path="/second/")
    poll(lambda: network.known("last_error"))
    network.outlast()
    receiver.start()
    network.visit(fire(11), path="/")
    receiver.await_records(11)


def test_an_organization_is_looked_up_on_its_own_site(network: Site, receiver: Receiver) -> None:
    code = "echo wp_insert_post( array( 'post_title' => 'L', 'post_status' => 'publish' ) );"
    record = int(network.visit(code, path="/second/").json)
    network.php(f"switch_to_blog( 2 ); update_post_meta( {record}, 'organization_id', 42 );")
    code = f"do_action( 'middag/license.activated', {record} );"
    network.visit(f"switch_to_blog( 2 ); {code} restore_current_blog();")
    poll(lambda: [(a.organization, a.record) for a in receiver.arrivals] == [(42, record)])


def test_settings_may_be_the_network_s_or_the_main_site_s(
    network: Site, receiver: Receiver
) -> None:
    network.configure(MIDDAG_PANEL_URL="", CHATWOOT_CONTACT_VIEW_SECRET="")
    network.php(f"update_site_option( 'middag_panel_url', '{receiver.url}' );")
    network.php(f"update_option( 'chatwoot_contact_view_secret', '{SECRET}' );")
    network.visit(fire(1), path="/second/")
    poll(lambda: receiver.records == [1])


def test_the_network_s_administrators_alone_see_it(network: Site, receiver: Receiver) -> None:
    boss = "array( 'user_login' => 'boss', 'user_pass' => 'b', 'role' => 'administrator' )"
    network.php(f"grant_super_admin( 1 ); wp_insert_user( {boss} );")
    assert "Waiting" in rows(Administrator(network).open().text)
    assert Administrator(network, "boss", "b").open().status_code == 403


def test_the_log_of_the_network_is_silent(network: Site) -> None:
    assert network.complaints == []


# -- PHP's own server ------------------------------------------------------------------------------


def test_a_server_that_cannot_end_a_response_early(site: Site, receiver: Receiver) -> None:
    """There the request starts another one, which sends."""
    with built_in_server(site) as other:
        receiver.delay = 0.3
        visits = [other.visit(fire(record)) for record in range(1, 21)]
        receiver.await_records(20)
        median = statistics.median(visit.seconds for visit in visits) * 1000
        arrived = len(set(receiver.records))
        log.info("PHP's own server: fired 20, arrived %d; a request %.0f ms", arrived, median)
        receiver.hang.set()
        visits = [other.visit(fire(record)) for record in range(21, 31)]
        assert max(visit.seconds for visit in visits) < 2
        receiver.hang.clear()
        receiver.await_records(30, 60)
        receiver.delay = 0
        visit = other.visit(fire(101, 1100))
        receiver.await_records(1030, 60)
        arrived = len(set(receiver.records)) - 30
        log.info("PHP's own server: fired 1000, arrived %d; %.2f s", arrived, visit.seconds)
        site.settle()


def test_the_log_is_silent(site: Site) -> None:
    assert site.complaints == []
