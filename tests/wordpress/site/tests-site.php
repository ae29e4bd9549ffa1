<?php
/**
 * Plugin Name: What the tests bring to a site
 * Description: Runs what a test sends, and plays another plugin that has jobs of its own.
 */

defined( 'ABSPATH' ) || exit;

/** Fire an action for records from … to, and print how long each took, in milliseconds. */
function tests_fire( $name, $from, $to, $organization = 42 ) {
	$took = array();
	for ( $record = $from; $record <= $to; $record++ ) {
		$entity = array(
			'id'              => $record,
			'organization_id' => $organization,
		);
		$begun  = hrtime( true );
		do_action( $name, $entity );
		$took[] = ( hrtime( true ) - $begun ) / 1e6;
	}
	echo wp_json_encode( $took );
}

add_action(
	'wp_loaded',
	function () {
		if ( isset( $_POST['tests_run'] ) ) {
			eval( wp_unslash( $_POST['tests_run'] ) );
			exit;
		}
	}
);

// Another plugin's job: it notes when it ran.
add_action(
	'tests_job',
	function () {
		global $wpdb;
		$wpdb->query( "INSERT INTO {$wpdb->base_prefix}tests_jobs ( ran_at ) VALUES ( " . microtime( true ) . ' )' );
	}
);
