<?php
/**
 * Plugin Name: MIDDAG panel hooks
 * Description: Tells the contact panel for Chatwoot what changed, and repeats it until it was kept.
 *
 * Needs in wp-config.php: MIDDAG_PANEL_URL and CHATWOOT_CONTACT_VIEW_SECRET.
 */

defined( 'ABSPATH' ) || exit;

const MIDDAG_PANEL_WAITS = array( 30, 120, 600, 3600, 3600, 14400, 28800, 36000 ); // Seconds: a day in all.

/** The plugin's actions, and the kind of hook that each becomes. */
const MIDDAG_PANEL_ACTIONS = array(
	'middag/entitlement/created'        => 'entitlement.activated',
	'middag/entitlement/provisioned'    => 'entitlement.activated',
	'middag/entitlement/reactivated'    => 'entitlement.activated',
	'middag/entitlement/suspended'      => 'entitlement.suspended',
	'middag/entitlement/cancelled'      => 'entitlement.cancelled',
	'middag/entitlement/status_changed' => 'entitlement.status_changed',
	'middag/quote/created'              => 'quote.created',
	'middag/quote/accepted'             => 'quote.accepted',
	'middag/quote/rejected'             => 'quote.rejected',
	'middag/quote/paid'                 => 'quote.paid',
	'middag/quote/status_changed'       => 'quote.status_changed',
);

foreach ( MIDDAG_PANEL_ACTIONS as $middag_panel_action => $middag_panel_event ) {
	add_action(
		$middag_panel_action,
		function ( $entity = null ) use ( $middag_panel_event ) {
			middag_panel_ring( $middag_panel_event, $entity );
		},
		100
	);
}

/** Make the hook and send it after the request, so that nobody waits for the panel. */
function middag_panel_ring( $event, $entity ) {
	$hook = array(
		'event'     => $event,
		'timestamp' => gmdate( 'Y-m-d\TH:i:s\Z' ),
		'id'        => wp_generate_uuid4(),
		'data'      => array(
			'id'              => middag_panel_number( $entity, 'id' ),
			'organization_id' => middag_panel_number( $entity, 'organization_id' ),
		),
	);
	wp_schedule_single_event( time(), 'middag_panel_send', array( wp_json_encode( $hook ), 0 ) );
}

/** A number of the entity, whether it is an array, has a getter, or plain properties. */
function middag_panel_number( $entity, $name ) {
	$getter = 'get_' . $name;
	$value  = null;
	if ( is_array( $entity ) ) {
		$value = $entity[ $name ] ?? null;
	} elseif ( is_object( $entity ) && is_callable( array( $entity, $getter ) ) ) {
		$value = $entity->$getter();
	} elseif ( is_object( $entity ) ) {
		$value = $entity->$name ?? null;
	}
	return is_numeric( $value ) ? (int) $value : null;
}

/** Post the hook; what the panel could not keep is scheduled again, with the same id. */
function middag_panel_send( $body, $try ) {
	$answer = wp_remote_post(
		rtrim( MIDDAG_PANEL_URL, '/' ) . '/sync/hooks',
		array(
			'timeout'     => 5,
			'redirection' => 0,
			'headers'     => array(
				'Content-Type'  => 'application/json',
				'Authorization' => 'Bearer ' . CHATWOOT_CONTACT_VIEW_SECRET,
			),
			'body'        => $body,
		)
	);
	$status = is_wp_error( $answer ) ? 0 : wp_remote_retrieve_response_code( $answer );
	$heals  = 0 === $status || 429 === $status || $status >= 500;
	if ( $heals && isset( MIDDAG_PANEL_WAITS[ $try ] ) ) {
		$wait = MIDDAG_PANEL_WAITS[ $try ] + wp_rand( 0, 30 );
		wp_schedule_single_event( time() + $wait, 'middag_panel_send', array( $body, $try + 1 ) );
	} elseif ( $status < 200 || $status >= 300 ) {
		error_log( 'MIDDAG panel: a hook was not taken, status ' . $status );
	}
}
add_action( 'middag_panel_send', 'middag_panel_send', 10, 2 );
