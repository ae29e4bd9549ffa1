"""Posts and orders that stand in for events, filters, and customers who notice nothing."""

import json
from typing import Any

import pytest

from tests.wordpress.heard import ENTITY, hear, heard
from tests.wordpress.receiver import Receiver
from tests.wordpress.sites import Site, poll

# -- stand-ins, filters ----------------------------------------------------------------------------


ORGANIZATION = (
    "array( 'post_type' => 'middag_organization', 'post_title' => 'A', 'post_status' => 'publish' )"
)


def test_a_saved_post_stands_in(site: Site, receiver: Receiver) -> None:
    code = f"""
        register_post_type( 'middag_organization', array( 'supports' => array( 'revisions' ) ) );
        register_post_type( 'middag_collaborator' );
        $id = wp_insert_post( {ORGANIZATION} );
        wp_update_post( array( 'ID' => $id, 'post_title' => 'B' ) );
        $person = array( 'post_type' => 'middag_collaborator', 'post_title' => 'P' );
        $person = wp_insert_post( $person );
        update_post_meta( $person, 'organization_id', $id );
        wp_delete_post( $person, true );
        wp_trash_post( $id );
        wp_insert_post( array( 'post_type' => 'post', 'post_title' => 'Ours it is not' ) );
        wp_insert_post( array( 'post_status' => 'auto-draft' ) + {ORGANIZATION} );
        echo wp_json_encode( array( $id, $person ) );
    """
    visit = site.visit(code)
    organization, person = visit.json
    poll(lambda: len(receiver.arrivals) >= 4, 10)
    events = [(a.event, a.organization, a.record) for a in receiver.arrivals]
    assert events == [
        ("organization.created", organization, organization),
        ("organization.updated", organization, organization),
        ("collaborator.removed", organization, person),
        ("organization.deleted", organization, organization),
    ]


WOOCOMMERCE = """
    class Order { public function get_id() { return 505; }
        public function get_meta( $key ) { return '_organization_id' === $key ? '42' : ''; } }
    function wc_get_order( $id ) { return 505 === $id ? new Order() : false; }
"""


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (
            "'woocommerce_order_status_changed', 505, 'pending', 'paid', new Order()",
            "order.status_changed",
        ),
        ("'woocommerce_order_status_changed', 505, 'pending', 'paid'", "order.status_changed"),
        ("'woocommerce_new_order', 505", "order.created"),
        ("'woocommerce_order_refunded', 505, 901", "order.refunded"),
        ("'woocommerce_update_order', 505, new Order()", "order.updated"),
        ("'woocommerce_trash_order', 505", "order.deleted"),
        ("'woocommerce_before_delete_order', 505, new Order()", "order.deleted"),
        ("'woocommerce_untrash_order', 505, 'pending'", "order.updated"),
    ],
)
def test_an_order_of_woocommerce_stands_in(
    site: Site, receiver: Receiver, call: str, kind: str
) -> None:
    assert heard(site, receiver, f"{WOOCOMMERCE} do_action( {call} );") == (kind, 42, 505)


def test_filters_add_actions_and_change_hooks(site: Site, receiver: Receiver) -> None:
    plugin = site.root / "wp-content/mu-plugins/tests-filters.php"
    plugin.write_text(
        """<?php
        add_filter( 'middag_panel_actions', function ( $actions ) {
            return $actions + array( 'acme_signed' => 'quote.accepted' );
        } );
        add_filter( 'middag_panel_kind', function ( $kind, $name ) {
            return 'middag/contract.signed' === $name ? 'order.updated' : $kind;
        }, 10, 2 );
        add_filter( 'middag_panel_hook', function ( $hook, $arguments ) {
            return 13 === $hook['organization'] ? null : $hook;
        }, 10, 2 );
        """
    )
    try:
        code = f"""
            do_action( 'middag/quote.created', array( 'id' => 1, 'organization_id' => 13 ) );
            do_action( 'acme_signed', {ENTITY} );
            do_action( 'middag/contract.signed', {ENTITY} );
        """
        arrived = hear(site, receiver, code, 2)
    finally:
        plugin.unlink()
    assert [arrival.event for arrival in arrived] == ["quote.accepted", "order.updated"]


# -- customers notice nothing ---------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    ["new Tests\\Throwing()", "new Tests\\Throwing(), new Tests\\Throwing()", "", "null"],
)
def test_whatever_throws_inside_the_buyer_is_served(
    site: Site, receiver: Receiver, arguments: str
) -> None:
    comma = ", " if arguments else ""
    code = f"do_action( 'middag/quote/paid'{comma}{arguments} ); echo '1';"
    visit = site.visit(code)
    assert (visit.answer.status_code, visit.answer.text) == (200, "1")


def test_a_filter_that_throws_does_not_reach_the_buyer(site: Site, receiver: Receiver) -> None:
    throws = "function () { throw new Exception( 'a filter of somebody' ); }"
    for name in ("middag_panel_hook", "middag_panel_kind", "middag_panel_organization"):
        code = f"add_filter( '{name}', {throws} ); do_action( 'middag/quote.x', 7 ); echo '1';"
        assert site.visit(code).answer.text == "1"
    site.await_rest()
    site.forget_complaints()


def test_nothing_but_questions_is_called(site: Site, receiver: Receiver) -> None:
    for name in ("middag/order.paid", "middag/quote.paid"):
        code = f"do_action( '{name}', new Tests\\Dangerous() );"
        assert site.visit(f"{code} echo wp_json_encode( Tests\\Dangerous::$called );").json == []


def test_the_database_of_who_fired_is_as_before(site: Site, receiver: Receiver) -> None:
    """Above all, the number of the caller's own last row stays right."""
    code = f"""
        global $wpdb;
        $wpdb->query( "INSERT INTO {{$wpdb->options}} ( option_name, option_value )
            VALUES ( 'x', '' ) ON DUPLICATE KEY UPDATE option_id = LAST_INSERT_ID( option_id )" );
        $see = function () use ( $wpdb ) {{
            return array( $wpdb->insert_id, $wpdb->last_query, $wpdb->rows_affected );
        }};
        $before = $see();
        do_action( 'middag/quote.created', {ENTITY} );
        echo wp_json_encode( array( $before, $see() ) );
    """
    before, after = site.visit(code).json
    assert before == after
    assert before[0] > 0


def test_a_transaction_that_is_rolled_back_takes_its_hooks_along(
    site: Site, receiver: Receiver
) -> None:
    """A change that did not happen is not sent, and nothing waits for an open transaction."""
    code = f"""
        global $wpdb;
        $wpdb->query( 'START TRANSACTION' );
        do_action( 'middag/quote.created', {ENTITY} );
        $wpdb->query( '{{}}' );
        do_action( 'middag/quote.paid', {ENTITY} );
        echo json_encode( 1 );
    """
    site.visit(code.replace("{}", "ROLLBACK"))
    poll(lambda: receiver.arrivals, 10)
    assert [arrival.event for arrival in receiver.arrivals] == ["quote.paid"]
    site.visit(code.replace("{}", "COMMIT"))
    poll(lambda: len(receiver.arrivals) == 3, 10)


def test_a_table_that_vanished_is_made_anew(site: Site, receiver: Receiver) -> None:
    site.sql("DROP TABLE wp_middag_panel_hooks")
    assert heard(site, receiver, f"do_action( 'middag/quote.created', {ENTITY} );")[1] == 42


def test_what_the_first_version_left_in_the_scheduler_is_sent(
    site: Site, receiver: Receiver
) -> None:
    event = {"event": "quote.paid", "timestamp": "2026-05-04T14:30:00Z", "id": "x"}
    body = json.dumps(event | {"data": {"id": 7, "organization_id": 42}})
    job = f"time() - 1, 'middag_panel_send', array( '{body}', 3 )"
    assert heard(site, receiver, f"wp_schedule_single_event( {job} ); wp_cron();") == (
        ("quote.paid", 42, 7)
    )


def test_the_body_is_what_the_panel_reads(site: Site, receiver: Receiver) -> None:
    bodies: list[dict[str, Any]] = []
    receiver.reply = bodies.append
    hear(site, receiver, f"do_action( 'middag/quote.created', {ENTITY} );")
    (body,) = bodies
    assert json.dumps(body["data"], sort_keys=True) == '{"id": 7, "organization_id": 42}'
    assert set(body) == {"event", "timestamp", "id", "data"}


def test_the_log_is_silent(site: Site) -> None:
    assert site.complaints == []
