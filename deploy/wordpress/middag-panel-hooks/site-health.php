<?php
/**
 * Tools → Site Health: one test, and one section of its report.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Site_Health {
	public static function start(): void {
		add_filter( 'site_status_tests', array( self::class, 'add_test' ) );
		add_filter( 'debug_information', array( self::class, 'add_section' ) );
	}

	public static function add_test( $tests ) {
		$tests['direct']['middag_panel_hooks'] = array(
			'label' => __( 'MIDDAG panel hooks', 'middag-panel-hooks' ),
			'test'  => array( self::class, 'test' ),
		);
		return $tests;
	}

	public static function add_section( $sections ) {
		$fields = array();
		foreach ( ( new Status() )->lines() as $label => $value ) {
			$fields[ $label ] = compact( 'label', 'value' );
		}
		$sections['middag-panel-hooks'] = array(
			'label'  => __( 'MIDDAG panel hooks', 'middag-panel-hooks' ),
			'fields' => $fields,
		);
		return $sections;
	}

	public static function test(): array {
		list( $status, $label, $words ) = self::judge( new Status() );
		return array(
			'label'       => $label,
			'status'      => $status,
			'badge'       => array(
				'label' => 'MIDDAG',
				'color' => 'good' === $status ? 'blue' : 'red',
			),
			'description' => '<p>' . esc_html( $words ) . '</p>',
			'actions'     => Tools_Page::is_allowed() ? sprintf( '<a href="%s">%s</a>', esc_url( Tools_Page::address() ), esc_html__( 'MIDDAG panel hooks', 'middag-panel-hooks' ) ) : '',
			'test'        => 'middag_panel_hooks',
		);
	}

	/** @return array{0: string, 1: string, 2: string} WordPress's word for how bad it is, a headline, and what to do. */
	public static function judge( Status $status ): array {
		if ( '' !== $status->fault ) {
			return array( 'critical', __( 'The contact panel hears nothing: it is not set up', 'middag-panel-hooks' ), $status->fault );
		}
		if ( $status->is_unkept() ) {
			$words = __( 'What it does not keep is sent at once, and lost when that fails; PHP\'s log counts those. Look at the disk and the tables of the database.', 'middag-panel-hooks' );
			return array( 'critical', __( 'The database does not keep hooks for the contact panel', 'middag-panel-hooks' ), trim( "$status->database_error $words" ) );
		}
		if ( $status->is_failing() ) {
			return array( 'critical', __( 'The contact panel does not take what happens here', 'middag-panel-hooks' ), $status->last_error() );
		}
		if ( $status->aside ) {
			return array( 'recommended', __( 'Some hooks for the contact panel were set aside', 'middag-panel-hooks' ), __( 'The Tools page names them and the reasons.', 'middag-panel-hooks' ) );
		}
		if ( $status->waiting && $status->oldest > Status::LONG_SECONDS ) {
			return array( 'recommended', __( 'Hooks for the contact panel wait for a long time', 'middag-panel-hooks' ), self::scheduler_words() );
		}
		if ( Status::is_scheduler_late() ) {
			return array( 'recommended', __( 'Hooks for the contact panel lack the scheduler', 'middag-panel-hooks' ), self::scheduler_words() );
		}
		if ( empty( $status->state['last_delivered'] ) ) {
			return array( 'recommended', __( 'The contact panel has not been told anything yet', 'middag-panel-hooks' ), __( 'Send a test hook from the Tools page.', 'middag-panel-hooks' ) );
		}
		/* translators: %s: a date and time */
		return array( 'good', __( 'The contact panel hears what happens here', 'middag-panel-hooks' ), sprintf( __( 'Last delivered: %s.', 'middag-panel-hooks' ), Status::time( $status->state['last_delivered'] ) ) );
	}

	private static function scheduler_words(): string {
		return Wake::is_scheduler_off()
			? __( 'DISABLE_WP_CRON is set, and nobody calls wp-cron.php: let the machine do it every five minutes. Hooks are sent when something happens; only those of an outage wait.', 'middag-panel-hooks' )
			: __( 'WordPress\'s scheduler does not run: see the tests of loopback requests and of scheduled events here.', 'middag-panel-hooks' );
	}
}
