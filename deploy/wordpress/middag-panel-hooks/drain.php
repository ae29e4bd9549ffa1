<?php
/**
 * Sends the waiting hooks: one process at a time, in order, for a bounded time, after the response of its request.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Drain {
	/** Below the 30 s at which many hosts end a process. */
	const SECONDS = 20;
	/** A pause is a fifth of the time for which the panel has been away: from a second to an hour. */
	const SHARE         = 5;
	const LONGEST_PAUSE = 3600;
	/** The wait of a single hook that makes the panel fail, while the panel takes the others. */
	const OWN_PAUSES = array( 30, 60, 120, 300, 600, 1800, 3600 );
	/** The waits before an organization that was not found is looked up again. */
	const SEARCHES = array( 30, 120, 600 );
	/** For so long after the panel went away a process stays and tries again: a quiet site has no other request. */
	const STAY_SECONDS = 600;
	const MOST_ROUNDS  = 3;

	/** @var array<string, string> What is known of the sending; read at the start of each batch. */
	private static $state = array();
	/** @var int[] Rows that the panel has taken, and that are still to be deleted. */
	private static $taken = array();
	/** @var float */
	private static $end;
	/** @var int */
	private static $rounds = 0;

	/** Send until nothing waits, the panel fails, or the time is over. Does nothing while another process sends. */
	public static function run( int $seconds = self::SECONDS ): void {
		self::$end = microtime( true ) + $seconds;
		if ( function_exists( 'set_time_limit' ) && 'cli' !== PHP_SAPI ) {
			set_time_limit( $seconds + 2 * Sender::SECONDS + 10 );
		}
		if ( '' !== Settings::fault() ) {
			return;
		}
		self::note_settings();
		do {
			if ( ! Lease::take() ) {
				return;
			}
			try {
				self::work();
			} finally {
				self::forget_taken();
				Lease::release();
			}
			// A row came after the last look: its own process found the lease taken, and left the row to us.
		} while ( self::has_time() && ! self::pause_left() && Queue::has_due() );
		if ( self::is_worth_staying() && Queue::is_settling() && ! Wake::ring( true ) && self::$rounds < self::MOST_ROUNDS ) {
			++self::$rounds; // WordPress cannot call itself, so this process goes on.
			self::run( $seconds );
		}
	}

	/** Note the present settings: an administrator may mend them while this process stays for the next try. */
	private static function note_settings(): void {
		self::$state = State::all();
		if ( self::is_outdated() ) {
			State::note( array( 'settings' => Settings::fingerprint() ) );
		}
	}

	private static function is_outdated(): bool {
		return Settings::fingerprint() !== ( self::$state['settings'] ?? '' );
	}

	private static function work(): void {
		self::$state = State::all();
		Queue::clean_up( self::$state['last_error'] ?? '' );
		while ( self::has_time() && Lease::renew() ) {
			self::$state = State::all();
			$left        = self::pause_left();
			if ( $left > 0 && ( 'cli' === PHP_SAPI || ! self::is_worth_staying() || self::is_outdated() ) ) {
				return;
			}
			if ( $left > 0 ) {
				usleep( 500000 );
				continue;
			}
			self::forget_taken(); // Otherwise they would be read, and sent, again.
			$groups = self::group( Queue::due() );
			if ( $groups ) {
				self::send_all( $groups );
			} elseif ( Queue::is_settling() ) {
				usleep( 200000 );
			} else {
				return;
			}
		}
	}

	/**
	 * Equal events of one record wait together, and the newest is sent for all of them. The panel cannot have seen
	 * the newest id before its event happened.
	 *
	 * @return array[][] In the order of the first of each.
	 */
	private static function group( array $rows ): array {
		$groups = array();
		foreach ( $rows as $row ) {
			$groups[ implode( '|', array( $row['site'], $row['event'], $row['organization'], $row['record'] ) ) ][] = $row;
		}
		return array_values( $groups );
	}

	private static function send_all( array $groups ): void {
		$suspect = array(); // A group that failed while it is unknown whether the panel is away.
		foreach ( $groups as $group ) {
			if ( ! self::has_time() || ! Lease::renew() ) {
				return;
			}
			$row = self::complete( end( $group ), array_column( $group, 'id' ) );
			if ( ! $row ) {
				continue;
			}
			$answer  = Sender::send( $row );
			$verdict = $answer->verdict();
			if ( Answer::WRONG === $verdict || $answer->retry_after() || ( Answer::LATER === $verdict && $suspect ) ) {
				self::pause( $answer );
				return;
			}
			if ( Answer::LATER === $verdict ) {
				$suspect = array( $group, $answer );
				continue;
			}
			self::settle( $group, $answer );
			if ( $suspect ) {
				self::blame( $suspect[0], $suspect[1] );
				$suspect = array();
			}
		}
		if ( $suspect ) {
			self::pause( $suspect[1] );
		}
	}

	/** Return the row with its organization; null when it has none: then the row is not sent. */
	private static function complete( array $row, array $ids ): ?array {
		$row['organization'] = $row['organization'] ?? Organizations::of( $row );
		if ( null !== $row['organization'] ) {
			return $row;
		}
		if ( $row['nobodys'] ) {
			Queue::delete( $ids ); // The record belongs to no organization, so the panel has nothing to do.
		} elseif ( $row['tries'] < count( self::SEARCHES ) ) {
			Queue::postpone( $ids, self::SEARCHES[ (int) $row['tries'] ], '' ); // The organization may be assigned a moment later.
		} else {
			Queue::set_aside( $ids, 'unassigned', __( 'No organization could be found for it. The filter middag_panel_organization can name one.', 'middag-panel-hooks' ) );
		}
		return null;
	}

	/** Take the panel's own answer to a hook. */
	private static function settle( array $group, Answer $answer ): void {
		$ids = array_column( $group, 'id' );
		if ( Answer::REFUSED === $answer->verdict() ) {
			Queue::set_aside( $ids, 'refused', $answer->words() );
			State::note( array( 'last_error' => $answer->words(), 'last_error_at' => time() ) );
			return;
		}
		self::$taken                   = array_merge( self::$taken, $ids );
		self::$state['last_delivered'] = (string) time();
		if ( ! empty( self::$state['failures'] ) ) {
			self::succeed();
		}
		// A repeated hook does no harm, so a crash may repeat some; each DELETE waits for the disk.
		if ( count( self::$taken ) >= 25 ) {
			self::forget_taken();
		}
	}

	private static function forget_taken(): void {
		if ( self::$taken ) {
			Queue::delete( self::$taken );
			$delivered   = (int) ( self::$state['delivered'] ?? 0 ) + count( self::$taken );
			self::$taken = array();
			self::$state['delivered'] = (string) $delivered;
			State::note( array( 'last_delivered' => time(), 'delivered' => $delivered ) );
		}
	}

	/** Let this hook wait alone: the others get through, so it is the one at fault. */
	private static function blame( array $group, Answer $answer ): void {
		$row = end( $group );
		Queue::postpone( array_column( $group, 'id' ), self::OWN_PAUSES[ min( (int) $row['tries'], count( self::OWN_PAUSES ) - 1 ) ], $answer->words() );
		State::note( array( 'last_error' => $answer->words(), 'last_error_at' => time() ) );
	}

	/** Let all hooks wait, longer each time, because none gets through. */
	public static function pause( Answer $answer ): void {
		$state    = State::all();
		$failures = (int) ( $state['failures'] ?? 0 );
		$since    = $failures ? (int) ( $state['failing_since'] ?? time() ) : time();
		$seconds  = max( 1, min( self::LONGEST_PAUSE, intdiv( time() - $since, self::SHARE ) ) );
		$seconds  = max( $answer->retry_after(), $seconds + wp_rand( 0, intdiv( $seconds, 5 ) ) );
		State::note(
			array(
				'failures'      => $failures + 1,
				'failing_since' => $since,
				'paused_until'  => time() + $seconds,
				'paused_for'    => Settings::fingerprint(),
				'last_error'    => $answer->words(),
				'last_error_at' => time(),
			)
		);
		self::$state = State::all();
	}

	/** End the pause, because the panel has taken a hook. */
	public static function succeed(): void {
		State::note( array( 'failures' => 0, 'paused_until' => 0 ) );
		self::$state['failures']     = '0';
		self::$state['paused_until'] = '0';
	}

	/** Return the seconds until the panel is tried again. Changed settings are tried at once. */
	private static function pause_left(): int {
		$left = (int) ( self::$state['paused_until'] ?? 0 ) - time();
		return $left > 0 && Settings::fingerprint() === ( self::$state['paused_for'] ?? '' ) ? $left : 0;
	}

	/** Tell whether to stay for the next try: not after ten minutes, nor for a long pause. */
	private static function is_worth_staying(): bool {
		$failing = empty( self::$state['failures'] ) ? 0 : time() - (int) self::$state['failing_since'];
		return $failing < self::STAY_SECONDS && self::pause_left() <= self::STAY_SECONDS / 4;
	}

	private static function has_time(): bool {
		return microtime( true ) < self::$end;
	}
}
