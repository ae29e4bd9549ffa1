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
	$organization = middag_panel_number( $entity, 'organization_id' );
	if ( ! $organization || ! middag_panel_is_set_up() ) {
		return; // An entitlement may belong to nobody: then there is nothing to bring in line.
	}
	$hook = array(
		'event'     => $event,
		'timestamp' => gmdate( 'Y-m-d\TH:i:s\Z' ),
		'id'        => wp_generate_uuid4(),
		'data'      => array(
			'id'              => middag_panel_number( $entity, 'id' ),
			'organization_id' => $organization,
		),
	);
	wp_schedule_single_event( time(), 'middag_panel_send', array( wp_json_encode( $hook ), 0 ) );
}

/** Without its constants the plugin stays silent: an error in WordPress's scheduler would end other jobs. */
function middag_panel_is_set_up() {
	return defined( 'MIDDAG_PANEL_URL' ) && defined( 'CHATWOOT_CONTACT_VIEW_SECRET' );
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

/**
 * Post the hook. The next try is scheduled first and taken back when the panel has kept the hook, so
 * that a request that dies in between loses nothing; the id is the same, so a repetition is harmless.
 */
function middag_panel_send( $body, $try ) {
	if ( ! middag_panel_is_set_up() ) {
		return;
	}
	$next = array( $body, $try + 1 );
	if ( isset( MIDDAG_PANEL_WAITS[ $try ] ) ) {
		wp_schedule_single_event( time() + MIDDAG_PANEL_WAITS[ $try ] + wp_rand( 0, 30 ), 'middag_panel_send', $next );
	}
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
	// 401 as well: the secret may be being rotated. Anything else would be answered the same again.
	$heals = in_array( $status, array( 0, 401, 429 ), true ) || $status >= 500;
	if ( ! $heals ) {
		wp_clear_scheduled_hook( 'middag_panel_send', $next );
	}
	if ( $status < 200 || $status >= 300 ) {
		error_log( 'MIDDAG panel: a hook was not taken, status ' . $status );
	}
}
add_action( 'middag_panel_send', 'middag_panel_send', 10, 2 );
