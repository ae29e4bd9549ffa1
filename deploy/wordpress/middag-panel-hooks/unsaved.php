<?php
/**
 * Hooks that the database does not take: its disk is full, a table is broken. The panel may take them all the same.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Unsaved {
	const SECONDS = 20;

	/**
	 * @param array[] $rows
	 * @param bool    $stays Does nobody wait for this process? Else nothing is sent.
	 */
	public static function send( array $rows, bool $stays ): void {
		if ( ! $rows ) {
			return;
		}
		$end  = microtime( true ) + self::SECONDS;
		$lost = 0;
		foreach ( $rows as $row ) {
			$is_sendable = $stays && microtime( true ) < $end && '' === Settings::fault();
			$lost       += $is_sendable && self::is_taken( $row ) ? 0 : 1;
		}
		$words = __( 'The database does not keep hooks.', 'middag-panel-hooks' );
		State::note( array( 'unkept_at' => time(), 'last_error' => $words, 'last_error_at' => time() ) );
		if ( $lost ) {
			Log::write( "$lost hooks could not be written to the database, nor sent at once: they are lost." );
		}
	}

	/** Tell whether the panel has taken the hook, or does not need it. */
	private static function is_taken( array $row ): bool {
		$row['organization'] = $row['organization'] ?? Organizations::of( $row );
		return null === $row['organization'] ? (bool) $row['nobodys'] : Answer::TAKEN === Sender::send( $row )->verdict();
	}
}
