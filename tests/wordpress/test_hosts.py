"""Hosts' troubles of a WordPress: missing functions, a deaf site, caches, a broken table."""

import socket
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.wordpress.installation import built_in_server
from tests.wordpress.receiver import Receiver
from tests.wordpress.sites import Site, poll
from tests.wordpress.test_failures import health

GONE = "error_log,getenv,set_time_limit,ignore_user_abort,stream_socket_client,usleep"


def fire(first: int, last: int | None = None) -> str:
    return f"tests_fire( 'middag/entitlement/suspended', {first}, {last or first} );"


@contextmanager
def plugin(site: Site, code: str, place: str = "mu-plugins/tests-host.php") -> Iterator[None]:
    """Add a file of PHP to wp-content."""
    file = site.root / "wp-content" / place
    file.write_text(f"<?php\n{code}\n")
    try:
        yield
    finally:
        file.unlink()


def test_functions_that_a_host_has_taken_away_are_not_missed(
    site: Site, receiver: Receiver
) -> None:
    head = f"$_SERVER['HTTP_HOST'] = '{site.host}'; require '{site.root}/wp-load.php';"
    throws = "add_filter( 'middag_panel_hook', function ( $hook ) {"
    throws += " if ( '13' === $hook['record'] ) { throw new Exception( 'x' ); } return $hook; } );"
    process = site.start_php(head + throws + fire(12, 14) + "echo 'served';", disable=GONE)
    output = process.communicate(timeout=60)[0]
    assert output.endswith(b"served")
    receiver.await_records(2)
    assert receiver.records == [12, 14]


# -- the database ----------------------------------------------------------------------------------

REFUSES = """CREATE TRIGGER wp_tests_refuses BEFORE INSERT ON wp_middag_panel_hooks FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The table is full'"""


@contextmanager
def refusing(site: Site) -> Iterator[None]:
    """Let the table of hooks refuse rows."""
    site.sql(REFUSES)
    try:
        yield
    finally:
        site.sql("DROP TRIGGER wp_tests_refuses")


def test_what_the_database_does_not_keep_is_sent_at_once(site: Site, receiver: Receiver) -> None:
    with refusing(site):
        visit = site.visit(fire(1, 20))
        assert len(visit.json) == 20
        receiver.await_records(20)
        poll(lambda: site.known("unkept_at"))
        word, words = health(site)
        assert (word, words.split(".")[0]) == (
            "critical",
            "The database does not keep hooks for the contact panel",
        )
        output = site.php(
            "wp_insert_post( array( 'post_type' => 'middag_organization', 'post_title' => 'A' ) );"
            "echo MiddagPanelHooks\\Actions::perform( 'ring-all' )[1];"
        )
        assert output == "The database does not keep hooks."
        site.sql("DELETE FROM wp_posts WHERE post_type = 'middag_organization'")
    assert site.complaints == []  # no hook was lost


def test_what_is_lost_is_counted_in_the_log(site: Site, receiver: Receiver) -> None:
    receiver.stop()
    with refusing(site):
        site.visit(fire(1, 3))
        poll(lambda: site.complaints)
    assert "3 hooks could not be written to the database, nor sent at once" in site.complaints[0]
    site.forget_complaints()


def test_a_table_that_cannot_be_read_is_never_shown_as_nothing(
    site: Site, receiver: Receiver
) -> None:
    site.sql("RENAME TABLE wp_middag_panel_hooks TO wp_tests_kept")
    site.sql("CREATE VIEW wp_middag_panel_hooks AS SELECT 1 AS no_such_column")
    try:
        output = site.php("echo ( new MiddagPanelHooks\\Status() )->lines()['Waiting'];")
        assert "Unknown column" in output
        assert health(site)[0] == "critical"
    finally:
        site.sql("DROP VIEW wp_middag_panel_hooks")
        site.sql("RENAME TABLE wp_tests_kept TO wp_middag_panel_hooks")
    assert health(site)[0] != "critical"


# -- a site that cannot reach itself ---------------------------------------------------------------


@contextmanager
def deaf_address() -> Iterator[str]:
    """An address that answers no connection, so that a client waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server, ExitStack() as stack:
        address = server.getsockname()
        for _ in range(4):  # the queue is full, and no process accepts its connections
            waits = stack.enter_context(socket.socket())
            waits.setblocking(False)
            waits.connect_ex(address)
        yield f"http://{address[0]}:{address[1]}"


def test_a_site_that_cannot_reach_itself_makes_one_customer_wait_and_no_other(
    site: Site, receiver: Receiver
) -> None:
    """The server cannot end a response early, and the scheduler's own job sends."""
    with deaf_address() as address, built_in_server(site) as other:
        url = f"add_filter( 'admin_url', function () {{ return '{address}/ajax.php'; }} );"
        with plugin(site, url):
            site.configure(DISABLE_WP_CRON="true")
            other.visit(fire(1))
            visits = [other.visit(fire(record)).seconds for record in range(2, 12)]
            assert statistics.median(visits) < 0.9  # without this, each would wait for a second
            assert site.waiting == 11
            other.php("define( 'DOING_CRON', true ); MiddagPanelHooks\\Wake::after_request();")
            receiver.await_records(11)


# -- caches ----------------------------------------------------------------------------------------


def test_a_lasting_cache_of_objects_makes_nothing_old(site: Site, receiver: Receiver) -> None:
    """After a drain has looked, another process writes the organization past the cache."""
    with plugin(site, OBJECT_CACHE, "object-cache.php"):
        post = "array( 'post_type' => 'middag_thing', 'post_title' => 'A' )"
        post_id = int(site.php(f"echo wp_insert_post( {post} );"))
        site.visit(f"do_action( 'middag/license.activated', {post_id} );")
        poll(lambda: site.sql("SELECT tries FROM wp_middag_panel_hooks") == [["1"]])
        site.sql(f"INSERT INTO wp_postmeta VALUES ( NULL, {post_id}, 'organization_id', '42' )")
        site.sql("UPDATE wp_middag_panel_hooks SET due_at = 0")
        site.visit(fire(101, 120))
        receiver.await_records(21)
    assert (post_id, 42) in {(a.record, a.organization) for a in receiver.arrivals}
    site.php("wp_cache_flush();")


OBJECT_CACHE = """
/** Everything lasts, in one file, and whoever ends last wins: as bad as a cache can be. */
class WP_Object_Cache {
    public $all = array();
    public $file;
    public function __construct() {
        $this->file = dirname( __DIR__ ) . '/wp-content/uploads/cache';
        $kept = is_readable( $this->file ) ? file_get_contents( $this->file ) : '';
        $kept = @unserialize( $kept );
        $this->all = is_array( $kept ) ? $kept : array();
        register_shutdown_function( array( $this, 'keep' ) );
    }
    public function keep() { @file_put_contents( $this->file, serialize( $this->all ), LOCK_EX ); }
}
function wp_cache_init() { $GLOBALS['wp_object_cache'] = new WP_Object_Cache(); }
function wp_cache_close() { return true; }
function wp_cache_supports( $feature ) { return false; }
function wp_cache_add_global_groups( $groups ) {}
function wp_cache_add_non_persistent_groups( $groups ) {}
function wp_cache_switch_to_blog( $blog ) {}
function wp_cache_flush() { $GLOBALS['wp_object_cache']->all = array(); return true; }
function wp_cache_get( $key, $group = '', $force = false, &$found = null ) {
    $found = isset( $GLOBALS['wp_object_cache']->all[ "$group:$key" ] );
    return $found ? unserialize( $GLOBALS['wp_object_cache']->all[ "$group:$key" ] ) : false;
}
function wp_cache_get_multiple( $keys, $group = '', $force = false ) {
    $values = array();
    foreach ( $keys as $key ) { $values[ $key ] = wp_cache_get( $key, $group ); }
    return $values;
}
function wp_cache_set( $key, $value, $group = '', $expire = 0 ) {
    $GLOBALS['wp_object_cache']->all[ "$group:$key" ] = serialize( $value );
    return true;
}
function wp_cache_add( $key, $value, $group = '', $expire = 0 ) {
    wp_cache_get( $key, $group, false, $found );
    return ! $found && wp_cache_set( $key, $value, $group );
}
function wp_cache_replace( $key, $value, $group = '', $expire = 0 ) {
    return wp_cache_set( $key, $value, $group );
}
function wp_cache_delete( $key, $group = '' ) {
    unset( $GLOBALS['wp_object_cache']->all[ "$group:$key" ] );
    return true;
}
function wp_cache_incr( $key, $offset = 1, $group = '' ) {
    $value = (int) wp_cache_get( $key, $group ) + $offset;
    wp_cache_set( $key, $value, $group );
    return $value;
}
function wp_cache_decr( $key, $offset = 1, $group = '' ) {
    return wp_cache_incr( $key, -$offset, $group );
}
"""


def test_the_log_is_silent(site: Site) -> None:
    assert site.complaints == []
