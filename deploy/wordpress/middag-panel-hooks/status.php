<?php
/**
 * The state of the sending: the facts that Site Health, the Tools page and the command show.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Status {
	const LONG_SECONDS = 600; // A hook that waits longer is reported.

	/** @var string */
	public $fault;
	/** @var int */
	public $waiting;
	/** @var int Seconds since the event of the oldest that waits. */
	public $oldest;
	/** @var array<string, int> How many are set aside, by their state. */
	public $aside;
	/** @var array<string, string> */
	public $state;
	/** @var string The database's error where it cannot be asked for the waiting hooks; else ''. */
	public $database_error = '';

	public function __construct() {
		$this->fault = Settings::fault();
		$this->state = State::all();
		$counted     = $this->count();
		if ( '' !== $this->database_error ) {
			Tables::create(); // Somebody may have dropped it.
			$counted = $this->count();
		}
		$numbers = array_map( 'intval', array_column( $counted, 'number', 'state' ) );
		$since   = array_column( $counted, 'since', 'state' );

		$this->waiting = $numbers['waiting'] ?? 0;
		$this->oldest  = $this->waiting ? time() - (int) $since['waiting'] : 0;
		unset( $numbers['waiting'] );
		$this->aside = $numbers;
	}

	/** @return array[] How many there are in each state, and since when. Equal ones are sent once, so they count once. */
	private function count(): array {
		global $wpdb;
		return Queue::quietly(
			function () use ( $wpdb ) {
				$sql  = 'SELECT state, COUNT( DISTINCT site, event, COALESCE( organization, 0 ), COALESCE( record, \'\' ) ) AS number, MIN( occurred_at ) AS since FROM ' . Tables::hooks() . ' GROUP BY state';
				$rows = $wpdb->get_results( $sql, ARRAY_A );

				$this->database_error = (string) $wpdb->last_error;
				return is_array( $rows ) ? $rows : array();
			}
		);
	}

	/** Tell whether the database refused hooks within the last day. */
	public function is_unkept(): bool {
		return '' !== $this->database_error || time() - (int) ( $this->state['unkept_at'] ?? 0 ) < 86400;
	}

	/** @return array<string, string> Label to value, in words, without a secret. */
	public function lines(): array {
		list( , $address ) = Settings::find( Settings::ADDRESS );
		list( , $secret )  = Settings::find( Settings::SECRET );

		$none = __( 'not set', 'middag-panel-hooks' );
		return array(
			__( 'Panel', 'middag-panel-hooks' )             => Settings::address() ? Settings::address() . " ($address)" : $none,
			__( 'Secret', 'middag-panel-hooks' )            => $secret ? $secret : $none,
			__( 'Listens to', 'middag-panel-hooks' )        => implode( ', ', Settings::prefixes() ),
			__( 'Waiting', 'middag-panel-hooks' )           => $this->database_error ? $this->database_error : number_format_i18n( $this->waiting ) . $this->since(),
			__( 'Set aside', 'middag-panel-hooks' )         => number_format_i18n( array_sum( $this->aside ) ),
			__( 'Delivered', 'middag-panel-hooks' )         => number_format_i18n( (int) ( $this->state['delivered'] ?? 0 ) ),
			__( 'Last delivered', 'middag-panel-hooks' )    => self::time( $this->state['last_delivered'] ?? '' ),
			__( 'Last error', 'middag-panel-hooks' )        => $this->last_error(),
			__( 'Next try', 'middag-panel-hooks' )          => $this->next_try(),
			__( 'Scheduler', 'middag-panel-hooks' )         => self::scheduler(),
		);
	}

	public function last_error(): string {
		$words = $this->state['last_error'] ?? '';
		return '' === $words ? __( 'none', 'middag-panel-hooks' ) : self::time( $this->state['last_error_at'] ?? '' ) . ': ' . $words;
	}

	public function is_failing(): bool {
		return ! empty( $this->state['failures'] );
	}

	/** Tell whether the scheduler is so late that hooks of an outage wait for the next event or visitor. */
	public static function is_scheduler_late(): bool {
		$next = wp_next_scheduled( Wake::JOB );
		return $next && time() - $next > Wake::LATE_SECONDS;
	}

	/** @return array[] The newest hooks that were set aside. */
	public static function aside(): array {
		global $wpdb;
		$rows = $wpdb->get_results( 'SELECT event, organization, record, occurred_at, state, reason FROM ' . Tables::hooks() . " WHERE state <> 'waiting' ORDER BY id DESC LIMIT 20", ARRAY_A );
		return is_array( $rows ) ? $rows : array();
	}

	/** Write a time in the time zone and the format of the site. */
	public static function time( $seconds ): string {
		return $seconds ? (string) wp_date( get_option( 'date_format' ) . ' H:i:s', (int) $seconds ) : __( 'never', 'middag-panel-hooks' );
	}

	private function since(): string {
		/* translators: %s: a time span, "3 hours" */
		return $this->waiting ? ' (' . sprintf( __( 'the oldest for %s', 'middag-panel-hooks' ), human_time_diff( time() - $this->oldest ) ) . ')' : '';
	}

	private function next_try(): string {
		$until = (int) ( $this->state['paused_until'] ?? 0 );
		if ( ! $this->waiting ) {
			return __( 'with the next event', 'middag-panel-hooks' );
		}
		return $until > time() ? self::time( $until ) : __( 'now', 'middag-panel-hooks' );
	}

	private static function scheduler(): string {
		$next = wp_next_scheduled( Wake::JOB );
		if ( self::is_scheduler_late() ) {
			/* translators: %s: a time span, "3 hours" */
			return sprintf( __( 'late by %s', 'middag-panel-hooks' ), human_time_diff( $next ) );
		}
		return $next ? __( 'on time', 'middag-panel-hooks' ) : __( 'not scheduled', 'middag-panel-hooks' );
	}
}
