<?php
/**
 * WP-CLI: wp middag-panel status|test|send|ring-all|replay|discard
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

/**
 * Hooks for the MIDDAG contact panel.
 */
final class Command {
	public static function start(): void {
		if ( defined( 'WP_CLI' ) && WP_CLI ) {
			\WP_CLI::add_command( 'middag-panel', self::class );
		}
	}

	/**
	 * Show the state of the sending; ends with 1 when something is wrong.
	 */
	public function status() {
		Tables::ensure();
		$status = new Status();
		foreach ( $status->lines() as $label => $value ) {
			\WP_CLI::line( "$label: $value" );
		}
		foreach ( Status::aside() as $row ) {
			\WP_CLI::line( "{$row['event']} {$row['record']}: " . Words::of_state( $row['state'] ) . ": {$row['reason']}" );
		}
		list( $severity, $headline, $words ) = Site_Health::judge( $status );
		if ( 'good' !== $severity ) {
			\WP_CLI::error( "$headline. $words" );
		}
	}

	/**
	 * Send a hook that changes nothing, and say what the panel answers.
	 */
	public function test() {
		self::perform( 'test' );
	}

	/**
	 * Send the waiting hooks now.
	 */
	public function send() {
		self::perform( 'send' );
	}

	/**
	 * Ring for every organization of this site: the first fill of the panel.
	 *
	 * @subcommand ring-all
	 */
	public function ring_all() {
		self::perform( 'ring-all' );
	}

	/**
	 * Send hooks again that were refused or given up, or that lacked their organization.
	 */
	public function replay() {
		self::perform( 'replay' );
	}

	/**
	 * Delete the hooks that were set aside.
	 */
	public function discard() {
		self::perform( 'discard' );
	}

	private static function perform( string $name ) {
		list( $went_well, $words ) = Actions::perform( $name );
		if ( $went_well ) {
			\WP_CLI::success( $words );
		} else {
			\WP_CLI::error( $words );
		}
	}
}
