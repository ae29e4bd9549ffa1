"""The must-use plugin in trouble, on a real WordPress: a process that dies or hangs loses
nothing."""

import time

import pytest

from tests.wordpress.loads import fire, tell
from tests.wordpress.receiver import Receiver, Reply
from tests.wordpress.sites import Site, poll


def test_a_repeat_while_its_row_is_being_posted_is_sent_again(
    site: Site, receiver: Receiver
) -> None:
    receiver.hang.set()
    site.visit(fire(7))
    poll(lambda: receiver.tries == 1)
    site.visit(fire(7))
    receiver.hang.clear()
    poll(lambda: len(receiver.arrivals) == 2)
    poll(lambda: site.waiting == 0)
    assert receiver.arrivals[0].id != receiver.arrivals[1].id


@pytest.mark.parametrize("end", ["posix_kill( getmypid(), SIGKILL );", "str_repeat( 'x', 1e9 );"])
def test_a_request_that_dies_loses_nothing(site: Site, receiver: Receiver, end: str) -> None:
    """The row is there at once, and the next process sends it."""
    head = f"$_SERVER['HTTP_HOST'] = '{site.host}'; require '{site.root}/wp-load.php';"
    site.start_php(head + fire(1, 20) + end).communicate(timeout=60)
    site.visit(fire(21))
    receiver.await_records(21)
    tell("a process that dies after 20 events", 21, receiver)


def test_a_drain_that_is_killed_loses_nothing(site: Site, receiver: Receiver) -> None:
    """The drain's lease ends by itself after half a minute; hooks that it had sent may come again,
    with their ids."""
    receiver.delay = 0.05
    head = f"$_SERVER['HTTP_HOST'] = '{site.host}'; require '{site.root}/wp-load.php';"
    process = site.start_php(head + fire(1, 60))
    poll(lambda: len(receiver.arrivals) >= 10)
    process.kill()
    process.communicate()
    killed_at = time.monotonic()
    site.visit(fire(61))
    time.sleep(0.5)
    assert len(set(receiver.records)) < 61  # the lease still stands
    site.sql("UPDATE wp_middag_panel_state SET until = until - 31 WHERE name = 'lease'")
    site.visit(fire(62))
    receiver.await_records(62)
    tell("a drain that is killed", 62, receiver, f"{time.monotonic() - killed_at:.1f} s")
    assert receiver.doubled == 0


def await_jobs(site: Site, number: int) -> None:
    poll(lambda: len(site.sql("SELECT ran_at FROM wp_tests_jobs")) >= number, 20)


def test_jobs_of_others_run_on_time_while_the_panel_hangs(site: Site, receiver: Receiver) -> None:
    """Twelve hooks wait, our own job is due, and so is another plugin's."""
    receiver.hang.set()
    site.sql("CREATE TABLE IF NOT EXISTS wp_tests_jobs ( ran_at DOUBLE )")
    site.sql("DELETE FROM wp_tests_jobs")
    site.visit(fire(1, 12))
    late = []
    for number in range(2):
        site.outlast()  # then our own job would have to send
        text = f"time() - 1, 'tests_job', array( {number} )"
        ours = "wp_clear_scheduled_hook( 'middag_panel_drain' );"
        ours += (
            "wp_schedule_event( time() - 5, 'middag_panel_five_minutes', 'middag_panel_drain' );"
        )
        site.visit(f"{ours} wp_schedule_single_event( {text} ); echo 1;")
        site.sql("DELETE FROM wp_options WHERE option_name = '_transient_doing_cron'")
        start = time.time()
        site.get()  # a visitor: WordPress starts its scheduler
        await_jobs(site, number + 1)
        late.append(float(site.sql("SELECT MAX(ran_at) FROM wp_tests_jobs")[0][0]) - start)
    receiver.hang.clear()
    receiver.await_records(12, 60)
    tell("other jobs while the panel hangs", 12, receiver, f"at most {max(late):.2f} s late")
    assert max(late) < 3


def test_without_the_scheduler_events_are_sent_all_the_same(site: Site, receiver: Receiver) -> None:
    site.configure(DISABLE_WP_CRON="true")
    for record in range(1, 11):
        site.visit(fire(record))
        receiver.await_records(record, 3)
    tell("DISABLE_WP_CRON, an event at a time", 10, receiver)
    receiver.stop()
    site.visit(fire(11, 20))
    site.outlast()
    receiver.start()
    # No process stays after ten minutes, and no event comes: a single visitor is enough.
    jobs = "$jobs = _get_cron_array(); $at = wp_next_scheduled( 'middag_panel_drain' );"
    jobs += "wp_clear_scheduled_hook( 'middag_panel_drain' );"
    site.visit(
        jobs
        + "wp_schedule_event( time() - 1000, 'middag_panel_five_minutes', 'middag_panel_drain' );"
    )
    assert len(set(receiver.records)) == 10
    site.get()
    receiver.await_records(20)
    tell("DISABLE_WP_CRON, after an outage, by a visitor", 20, receiver)


def test_a_transaction_that_somebody_left_open_stops_no_drain(
    site: Site, receiver: Receiver
) -> None:
    begin = "$GLOBALS['wpdb']->query( 'START TRANSACTION' );"
    site.visit(f"{fire(1)} {begin} {fire(2)}")
    receiver.await_records(1)
    poll(lambda: site.waiting == 0)
    assert receiver.records == [1]  # the other transaction was rolled back, with its hook


def test_tables_that_somebody_emptied_stop_no_drain(site: Site, receiver: Receiver) -> None:
    site.sql("DELETE FROM wp_middag_panel_state")
    site.visit(fire(1))
    receiver.await_records(1)


def test_a_page_that_answers_200_to_everything_has_taken_nothing(
    site: Site, receiver: Receiver
) -> None:
    receiver.reply = lambda hook: Reply(200, "<html>Welcome")
    site.visit(fire(1, 5))
    poll(lambda: site.known("last_error"))
    assert site.waiting == 5
    receiver.reply = lambda hook: None
    receiver.await_records(5, 30)


def test_the_log_is_silent_about_troubles(site: Site) -> None:
    assert site.complaints == []
