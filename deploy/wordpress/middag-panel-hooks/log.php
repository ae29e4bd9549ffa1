<?php
/**
 * A line in PHP's log. Some hosts have taken error_log() away, and calling it would then end a customer's request.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Log {
	public static function write( string $words ): void {
		if ( function_exists( 'error_log' ) ) {
			error_log( "MIDDAG panel hooks: $words" );
		}
	}
}
