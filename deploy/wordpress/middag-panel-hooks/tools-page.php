<?php
/**
 * Tools → MIDDAG panel hooks: the waiting hooks, the faults, and the buttons.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Tools_Page {
	const SLUG = 'middag-panel-hooks';

	public static function start(): void {
		add_action( 'admin_menu', array( self::class, 'add_page' ) );
		add_action( 'admin_post_' . self::SLUG, array( self::class, 'perform' ) );
	}

	/** The right to see the page. In a network all sites share the queue, so only the network's administrators may. */
	public static function capability(): string {
		return is_multisite() ? 'manage_network_options' : 'manage_options';
	}

	public static function is_allowed(): bool {
		return current_user_can( self::capability() );
	}

	public static function address(): string {
		return admin_url( 'tools.php?page=' . self::SLUG );
	}

	public static function add_page(): void {
		$title = __( 'MIDDAG panel hooks', 'middag-panel-hooks' );
		add_management_page( $title, $title, self::capability(), self::SLUG, array( self::class, 'show' ) );
	}

	/** Do the action of the pressed button, and show the page with the result. */
	public static function perform(): void {
		if ( ! self::is_allowed() ) {
			wp_die( esc_html__( 'You are not allowed to do this.', 'middag-panel-hooks' ), '', array( 'response' => 403 ) );
		}
		check_admin_referer( self::SLUG );
		$name = isset( $_POST['do'] ) && is_string( $_POST['do'] ) ? sanitize_key( $_POST['do'] ) : '';
		set_transient( self::notice_name(), Actions::perform( $name ), 300 );
		wp_safe_redirect( self::address() );
		exit;
	}

	public static function show(): void {
		if ( ! self::is_allowed() ) {
			return;
		}
		$status = new Status();
		echo '<div class="wrap"><h1>' . esc_html__( 'MIDDAG panel hooks', 'middag-panel-hooks' ) . '</h1>';
		self::show_notices( $status );
		echo '<table class="widefat striped" style="max-width: 60em"><tbody>';
		foreach ( $status->lines() as $label => $value ) {
			echo '<tr><th scope="row" style="width: 12em">' . esc_html( $label ) . '</th><td>' . esc_html( $value ) . '</td></tr>';
		}
		echo '</tbody></table>';
		self::show_buttons( $status );
		self::show_aside( Status::aside() );
		echo '</div>';
	}

	private static function show_notices( Status $status ): void {
		$done = get_transient( self::notice_name() );
		if ( is_array( $done ) && 2 === count( $done ) ) {
			delete_transient( self::notice_name() );
			self::show_notice( $done[0] ? 'success' : 'error', $done[1] );
		}
		list( $severity, $headline, $words ) = Site_Health::judge( $status );
		if ( 'good' !== $severity ) {
			self::show_notice( 'critical' === $severity ? 'error' : 'warning', "$headline. $words" );
		}
	}

	private static function show_notice( string $kind, string $words ): void {
		printf( '<div class="notice notice-%s inline"><p>%s</p></div>', esc_attr( $kind ), esc_html( $words ) );
	}

	private static function show_buttons( Status $status ): void {
		echo '<form method="post" action="' . esc_url( admin_url( 'admin-post.php' ) ) . '"><p>';
		echo '<input type="hidden" name="action" value="' . esc_attr( self::SLUG ) . '">';
		wp_nonce_field( self::SLUG );
		foreach ( Actions::labels() as $name => $label ) {
			if ( $status->aside || ! in_array( $name, array( 'replay', 'discard' ), true ) ) {
				printf( '<button class="button" name="do" value="%s">%s</button> ', esc_attr( $name ), esc_html( $label ) );
			}
		}
		echo '</p></form><p class="description">';
		esc_html_e( 'A hook says what changed and holds ids alone. "Ring for every organization" is the first fill: the panel then reads each of them.', 'middag-panel-hooks' );
		echo '</p>';
	}

	/** @param array[] $rows */
	private static function show_aside( array $rows ): void {
		if ( ! $rows ) {
			return;
		}
		echo '<h2>' . esc_html__( 'Set aside', 'middag-panel-hooks' ) . '</h2><table class="widefat striped"><thead><tr>';
		$columns = array( __( 'Event', 'middag-panel-hooks' ), __( 'Organization', 'middag-panel-hooks' ), __( 'Record', 'middag-panel-hooks' ), __( 'When', 'middag-panel-hooks' ), __( 'Why', 'middag-panel-hooks' ) );
		foreach ( $columns as $column ) {
			echo '<th scope="col">' . esc_html( $column ) . '</th>';
		}
		echo '</tr></thead><tbody>';
		foreach ( $rows as $row ) {
			$cells = array( $row['event'], (string) $row['organization'], (string) $row['record'], Status::time( $row['occurred_at'] ), Words::of_state( $row['state'] ) . ': ' . $row['reason'] );
			echo '<tr><td>' . implode( '</td><td>', array_map( 'esc_html', $cells ) ) . '</td></tr>';
		}
		echo '</tbody></table>';
	}

	private static function notice_name(): string {
		return 'middag_panel_done_' . get_current_user_id();
	}
}
