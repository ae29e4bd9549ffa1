"""The must-use plugin under load, on a real WordPress: of distinct records fired, all arrive.

`make wordpress` shows the numbers of each case.
"""

import statistics
import time

import pytest

from tests.wordpress.loads import fire, tell
from tests.wordpress.receiver import Receiver, refusal
from tests.wordpress.sites import Site, poll

MOST_MILLISECONDS = 5.0  # the time that an action adds to a customer's request, in the median
MOST_INSERTS = 3  # the same in INSERTs of this machine, whose disk other programs may keep busy
INSERTS = """
    global $wpdb;
    $wpdb->query( 'CREATE TABLE IF NOT EXISTS wp_tests_rows ( id SERIAL )' );
    $took = array();
    for ( $i = 0; $i < 50; $i++ ) {
        $started_at = hrtime( true );
        $wpdb->query( 'INSERT INTO wp_tests_rows () VALUES ()' );
        $took[] = ( hrtime( true ) - $started_at ) / 1e6;
    }
    echo wp_json_encode( $took );
"""


def check_fast(site: Site, median: float) -> str:
    """Check that an action costs little more than an INSERT; returns the measured numbers as
    words."""
    insert = statistics.median(site.visit(INSERTS).json)
    assert median < max(MOST_MILLISECONDS, MOST_INSERTS * insert)
    return f"an action {median:.2f} ms, an INSERT {insert:.2f} ms"


def test_an_event_every_second_on_a_quiet_site(site: Site, receiver: Receiver) -> None:
    """Without other visitors, each event is delivered at once, and not with the next one."""
    took, waited = [], []
    for record in range(1, 13):
        started_at = time.monotonic()
        took += site.visit(fire(record)).json
        receiver.await_records(record, 3)
        waited.append(time.monotonic() - started_at)
        time.sleep(max(0.0, 1 - waited[-1]))
    tell("an event every second", 12, receiver, f"delivered within {max(waited):.2f} s")
    assert receiver.doubled == 0
    assert max(waited) < 3
    check_fast(site, statistics.median(took))


def test_a_half_second_between_events_loses_none(site: Site, receiver: Receiver) -> None:
    receiver.delay = 0.3
    for record in range(1, 21):
        site.visit(fire(record))
        time.sleep(0.5)
    receiver.await_records(20)
    tell("an event every half second, the panel takes 0.3 s", 20, receiver)
    poll(lambda: site.waiting == 0)
    assert receiver.tries == 20  # each is posted once


@pytest.mark.parametrize("processes", [2, 5])
def test_processes_at_once_while_a_slow_panel_takes(
    site: Site, receiver: Receiver, processes: int
) -> None:
    receiver.delay = 0.1
    site.visit(fire(1, 10))  # the drain is at work
    poll(lambda: receiver.tries >= 2)
    count = 20
    started_at = time.monotonic()
    head = f"$_SERVER['HTTP_HOST'] = '{site.host}'; require '{site.root}/wp-load.php';"
    ranges = [(100 * n, 100 * n + count - 1) for n in range(1, processes + 1)]
    started = [site.start_php(head + fire(first, last)) for first, last in ranges]
    visits = [site.visit(fire(1000 + n)).seconds for n in range(20)]
    fired = 10 + processes * count + len(visits)
    receiver.await_records(fired, 60)
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode == 0
    tell(
        f"{processes} processes at once, 20 visits, a slow panel",
        fired,
        receiver,
        f"a visit {statistics.median(visits) * 1000:.0f} ms",
        f"all within {time.monotonic() - started_at:.0f} s",
    )
    assert receiver.doubled == 0
    assert receiver.tries == fired  # a single drain runs at a time, so no hook is posted twice
    assert statistics.median(visits) < 1


@pytest.mark.parametrize("refuses", [True, False], ids=["no connection", "503"])
def test_a_panel_that_is_away_for_a_while(site: Site, receiver: Receiver, refuses: bool) -> None:
    """A process waits for the panel's return, so no later visit is needed."""
    if refuses:
        receiver.stop()
    else:
        receiver.reply = lambda hook: refusal(503, "not_kept")
    visits = []
    for record in range(1, 21):
        visits.append(site.visit(fire(record)).seconds)
        time.sleep(0.3)
    assert site.waiting == 20
    receiver.reply = lambda hook: None
    if refuses:
        receiver.start()
    waited = receiver.await_records(20, 60)
    tell("a panel that was away", 20, receiver, f"{waited:.1f} s after it came back")
    assert statistics.median(visits) < 1
    poll(lambda: site.waiting == 0)
    assert site.known("failures") == "0"


def test_more_than_one_process_can_send_in_its_time(site: Site, receiver: Receiver) -> None:
    """A process starts the next one when its twenty seconds are over, so no visit is needed."""
    receiver.delay = 0.3
    site.visit(fire(1, 80))
    waited = receiver.await_records(80, 60)
    tell("80 records, a panel that takes 0.3 s for each", 80, receiver, f"{waited:.0f} s")
    assert waited > 21
    assert receiver.doubled == 0
    assert receiver.connections >= 2


def test_a_panel_that_hangs(site: Site, receiver: Receiver) -> None:
    receiver.hang.set()
    visits = [site.visit(fire(record)).seconds for record in range(1, 17)]
    poll(lambda: site.known("last_error"), 30)
    visits += [site.visit(fire(record)).seconds for record in range(17, 33)]
    assert site.waiting == 32
    receiver.hang.clear()
    waited = receiver.await_records(32, 60)
    tell(
        "a panel that hangs",
        32,
        receiver,
        f"a visit {statistics.median(visits) * 1000:.0f} ms, at most {max(visits) * 1000:.0f} ms",
        f"{waited:.1f} s after it woke",
    )
    assert max(visits) < 2


def test_a_thousand_records_in_one_request(site: Site, receiver: Receiver) -> None:
    visit = site.visit(fire(1, 1000))
    median = statistics.median(visit.json)
    waited = receiver.await_records(1000, 60)
    tell(
        "1,000 records in one request",
        1000,
        receiver,
        check_fast(site, median),
        f"the request {visit.seconds:.2f} s",
        f"all after {waited:.1f} s over {receiver.connections} connections",
    )
    assert receiver.connections <= 5
    assert receiver.doubled == 0
    assert receiver.tries == 1000
    order = [record for record in receiver.records if isinstance(record, int)]
    assert order == sorted(order)


def test_the_request_is_as_fast_whatever_waits(site: Site, receiver: Receiver) -> None:
    def measure(first: int) -> tuple[float, float]:
        visits = [site.visit(fire(record)) for record in range(first, first + 30)]
        actions = [milliseconds for visit in visits for milliseconds in visit.json]
        return statistics.median(actions), statistics.median(v.seconds for v in visits) * 1000

    before = measure(1)
    receiver.await_records(30)
    receiver.stop()
    site.visit(fire(1001, 3000))
    assert site.waiting == 2000
    after = measure(5001)
    receiver.start()
    receiver.await_records(2060, 90)
    tell(
        "0 and 2,000 waiting",
        2060,
        receiver,
        f"an action {before[0]:.2f} and {after[0]:.2f} ms",
        f"a request {before[1]:.0f} and {after[1]:.0f} ms",
    )
    check_fast(site, max(before[0], after[0]))


def test_twenty_saves_of_one_record_wait_as_one(site: Site, receiver: Receiver) -> None:
    receiver.stop()
    for _ in range(4):
        site.visit("for ($i = 0; $i < 5; $i++) { " + fire(7) + " }")
    receiver.start()
    poll(lambda: receiver.arrivals)
    poll(lambda: site.waiting == 0)
    tell("20 saves of one record while the panel was away", 1, receiver)
    assert receiver.records == [7]


def test_the_log_is_silent(site: Site) -> None:
    """After all tests above, at E_ALL, PHP's and the database's logs have no notice and no
    error."""
    assert site.complaints == []
