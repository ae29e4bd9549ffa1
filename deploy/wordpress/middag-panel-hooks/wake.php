<?php
/**
 * Starts of a drain: the end of a request with an event, the previous drain at the end of its time, and
 * WordPress's scheduler. None of them makes a visitor wait.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Wake {
	const JOB      = 'middag_panel_drain';
	const SCHEDULE = 'middag_panel_five_minutes';
	const SECONDS  = 300;
	/** A job that is later than this shows that nothing runs the scheduler. */
	const LATE_SECONDS = 900;
	/** The time between two wake-ups by a long process without a visitor, such as an import. */
	const EVERY_SECONDS = 15;
	/** A site that could not reach itself is not asked again so soon: a request would wait a second for nothing. */
	const DEAF_SECONDS = 300;

	/** @var bool */
	private static $is_registered = false;
	/** @var int */
	private static $rang_at = 0;

	public static function start(): void {
		add_filter( 'cron_schedules', array( self::class, 'add_schedule' ) );
		add_action( self::JOB, array( self::class, 'after_request' ) );
		add_action( 'init', array( self::class, 'prepare' ) );
		add_action( 'wp_ajax_' . self::JOB, array( self::class, 'answer_ring' ) );
		add_action( 'wp_ajax_nopriv_' . self::JOB, array( self::class, 'answer_ring' ) );
	}

	public static function add_schedule( $schedules ) {
		$schedules                   = is_array( $schedules ) ? $schedules : array();
		$schedules[ self::SCHEDULE ] = array(
			'interval' => self::SECONDS,
			'display'  => 'MIDDAG panel hooks',
		);
		return $schedules;
	}

	/** Answer from the values that WordPress has loaded anyway. */
	public static function prepare(): void {
		if ( wp_installing() ) {
			return;
		}
		try {
			Tables::ensure();
			$next = wp_next_scheduled( self::JOB );
			if ( $next && time() - $next > self::LATE_SECONDS && self::is_scheduler_off() && ! wp_doing_cron() ) {
				// Nothing runs the scheduler, so visitors do the work of this one job.
				wp_unschedule_event( $next, self::JOB );
				self::after_request();
				$next = false;
			}
			if ( ! $next ) {
				wp_schedule_event( time() + self::SECONDS, self::SCHEDULE, self::JOB );
			}
		} catch ( \Throwable $error ) {
			Log::write( $error->getMessage() );
		}
	}

	/** Tell whether only a job of the machine, or nothing, calls wp-cron.php. */
	public static function is_scheduler_off(): bool {
		return defined( 'DISABLE_WP_CRON' ) && DISABLE_WP_CRON;
	}

	/**
	 * Send when this request is over. As the scheduler's job this returns at once as well: the sending comes after
	 * wp-cron.php has run all jobs and let go of its lock.
	 */
	public static function after_request(): void {
		if ( ! self::$is_registered ) {
			self::$is_registered = true;
			// Registered twice, to run after functions that other code registers while the request ends.
			register_shutdown_function(
				function () {
					register_shutdown_function( array( self::class, 'end_request' ) );
				}
			);
		}
		if ( 'cli' === PHP_SAPI && time() - self::$rang_at >= self::EVERY_SECONDS ) {
			$is_first      = 0 === self::$rang_at;
			self::$rang_at = time();
			$is_first || self::ring_if_useful();
		}
	}

	public static function end_request(): void {
		try {
			$stays = self::can_stay();
			if ( $stays ) {
				self::finish_response();
			}
			// A transaction that was left open is rolled back with this process; our notes must not be part of it.
			$GLOBALS['wpdb']->query( 'ROLLBACK' );
			Unsaved::send( Queue::settle(), $stays );
			if ( $stays ) {
				Drain::run();
			} else {
				self::ring_if_useful();
			}
		} catch ( \Throwable $error ) {
			Log::write( $error->getMessage() );
		}
	}

	/** Tell whether this process can go on working after its response. */
	private static function can_stay(): bool {
		return 'cli' === PHP_SAPI || wp_doing_cron() || function_exists( 'fastcgi_finish_request' ) || function_exists( 'litespeed_finish_request' );
	}

	private static function finish_response(): void {
		if ( function_exists( 'ignore_user_abort' ) ) {
			ignore_user_abort( true );
		}
		if ( PHP_SESSION_ACTIVE === session_status() ) {
			session_write_close(); // Otherwise the customer's next request would wait for its session.
		}
		if ( function_exists( 'fastcgi_finish_request' ) ) {
			fastcgi_finish_request();
		} elseif ( function_exists( 'litespeed_finish_request' ) ) {
			litespeed_finish_request();
		}
	}

	/** Answer the request of WordPress to itself that starts a drain. */
	public static function answer_ring(): void {
		$given = isset( $_GET['token'] ) && is_string( $_GET['token'] ) ? $_GET['token'] : '';
		if ( ! hash_equals( self::token(), $given ) && ! hash_equals( self::token( -1 ), $given ) ) {
			wp_die( '', '', array( 'response' => 403 ) );
		}
		status_header( 204 );
		self::finish_response();
		try {
			Drain::run();
		} catch ( \Throwable $error ) {
			Log::write( $error->getMessage() );
		}
		exit;
	}

	/** Return the proof of WordPress's own request, good for an hour. A forged request would only waste a moment. */
	private static function token( int $hours = 0 ): string {
		return wp_hash( self::JOB . '|' . ( intdiv( time(), 3600 ) + $hours ), 'nonce' );
	}

	/** Start no second drain: a running one also sends hooks that come meanwhile. */
	private static function ring_if_useful(): void {
		$deaf_for = time() - (int) ( State::all()['deaf_at'] ?? 0 );
		if ( $deaf_for >= self::DEAF_SECONDS && ! Lease::is_taken() && ! self::ring( false ) ) {
			State::note( array( 'deaf_at' => time() ) );
		}
	}

	/**
	 * Ask ourselves to drain, over a bare socket: WordPress's client would wait up to a second for the answer.
	 *
	 * @param bool $waits Wait a moment for the answer; only where nobody waits for us.
	 * @return bool Whether somebody was there; with $waits, whether they answered as we do.
	 */
	public static function ring( bool $waits ): bool {
		$url     = wp_parse_url( admin_url( 'admin-ajax.php', 'admin' ) );
		$https   = 'https' === $url['scheme'];
		$address = ( $https ? 'ssl://' : 'tcp://' ) . $url['host'] . ':' . ( $url['port'] ?? ( $https ? 443 : 80 ) );
		/** This filter is documented in wp-includes/class-wp-http-streams.php */
		$verify = (bool) apply_filters( 'https_local_ssl_verify', false );
		$ssl    = array(
			'verify_peer'      => $verify,
			'verify_peer_name' => $verify,
			'peer_name'        => $url['host'],
		);
		if ( ! function_exists( 'stream_socket_client' ) ) {
			return false;
		}
		$socket = @stream_socket_client( $address, $number, $words, 1, STREAM_CLIENT_CONNECT, stream_context_create( array( 'ssl' => $ssl ) ) );
		if ( ! $socket ) {
			return false; // The scheduler comes within five minutes.
		}
		fwrite( $socket, self::request( $url ) );
		$is_heard = ! $waits || self::is_answered( $socket );
		fclose( $socket );
		return $is_heard;
	}

	private static function request( array $url ): string {
		$lines = array(
			"POST {$url['path']}?action=" . self::JOB . '&token=' . self::token() . ' HTTP/1.1',
			'Host: ' . $url['host'] . ( isset( $url['port'] ) ? ":{$url['port']}" : '' ),
			'User-Agent: middag-panel-hooks/' . MIDDAG_PANEL_HOOKS,
			'Content-Length: 0',
			'Connection: close',
		);
		if ( isset( $_SERVER['PHP_AUTH_USER'], $_SERVER['PHP_AUTH_PW'] ) ) {
			// The site may be behind a password of the web server, which the request has to bring.
			$lines[] = 'Authorization: Basic ' . base64_encode( wp_unslash( $_SERVER['PHP_AUTH_USER'] ) . ':' . wp_unslash( $_SERVER['PHP_AUTH_PW'] ) );
		}
		return implode( "\r\n", $lines ) . "\r\n\r\n";
	}

	/** Without an answer in time the drain already works, on a server that cannot answer before the end. */
	private static function is_answered( $socket ): bool {
		stream_set_timeout( $socket, 2 );
		$line = fgets( $socket );
		return false === $line ? (bool) stream_get_meta_data( $socket )['timed_out'] : (bool) preg_match( '~^HTTP/\S+ 204~', $line );
	}
}
