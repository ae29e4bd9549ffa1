<?php
/**
 * The hooks that wait, a row each.
 *
 * An event only inserts a row. The drain does everything else: it finds equal rows and removes delivered ones. It
 * writes by primary key alone, so that it never locks the place where an event inserts.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Queue {
	const GIVE_UP_SECONDS = 7 * 86400;
	const KEEP_SECONDS    = 30 * 86400; // How long refused and given-up hooks can be seen, and sent again.
	const SETTLE_SECONDS  = 2;
	const BATCH           = 5000;
	const COLUMNS         = array( 'uuid', 'site', 'event', 'organization', 'record', 'nobodys', 'occurred_at', 'due_at' );

	/** @var int[] Numbers of the rows that this request has inserted. */
	private static $inserted = array();
	/** @var array[] Rows that could not be inserted; they are tried again at the end of the request. */
	private static $unsaved = array();

	/**
	 * Keep a hook. The row is not sent at once but when the request ends, or after two seconds when it dies:
	 * listeners that run after us may still be changing what the hook is about.
	 *
	 * @param array[] $hooks Of each: event, record, organization, and whether the record itself says that it has none.
	 */
	public static function put( array $hooks ): void {
		$now = time();
		foreach ( array_chunk( $hooks, 500 ) as $some ) {
			$rows = array();
			foreach ( $some as list( $event, $record, $organization, $nobodys ) ) {
				$rows[] = array( wp_generate_uuid4(), get_current_blog_id(), $event, $organization, $record, (int) $nobodys, $now, $now + self::SETTLE_SECONDS );
			}
			if ( ! self::insert( $rows ) ) {
				self::$unsaved = array_merge( self::$unsaved, $rows );
			}
		}
	}

	/**
	 * Ring for each of these organizations.
	 *
	 * @param int[] $organizations
	 * @return bool Whether the database has kept all of them.
	 */
	public static function put_organizations( array $organizations ): bool {
		$now = time();
		foreach ( array_chunk( $organizations, 500 ) as $some ) {
			$rows = array();
			foreach ( $some as $organization ) {
				$rows[] = array( wp_generate_uuid4(), get_current_blog_id(), 'organization.updated', $organization, (string) $organization, 0, $now, 0 );
			}
			if ( ! self::insert( $rows ) ) {
				return false;
			}
		}
		return true;
	}

	private static function insert( array $rows ): bool {
		global $wpdb;
		$tuples = array();
		foreach ( $rows as $row ) {
			$row[3]   = null === $row[3] ? 'NULL' : (int) $row[3];
			$row[4]   = null === $row[4] ? 'NULL' : $wpdb->prepare( '%s', $row[4] );
			$tuples[] = $wpdb->prepare( '( %s, %d, %s, ', $row[0], $row[1], $row[2] ) . "$row[3], $row[4], " . $wpdb->prepare( '%d, %d, %d )', $row[5], $row[6], $row[7] );
		}
		$sql = 'INSERT INTO ' . Tables::hooks() . ' ( ' . implode( ', ', self::COLUMNS ) . ' ) VALUES ' . implode( ', ', $tuples );
		return (bool) self::quietly(
			function () use ( $wpdb, $sql ) {
				$done = $wpdb->query( $sql );
				if ( $done ) {
					self::$inserted[] = (int) $wpdb->insert_id;
				}
				return $done;
			}
		);
	}

	/**
	 * Called at the end of the request: save the rows that could not be saved, and let all its rows be sent now.
	 *
	 * @return array[] Rows that the database still does not take.
	 */
	public static function settle(): array {
		$unsaved       = self::$unsaved;
		self::$unsaved = array();
		if ( $unsaved ) {
			Tables::create();
			$unsaved = self::insert( $unsaved ) ? array() : $unsaved;
		}
		self::set( self::$inserted, 'due_at = 0' );
		self::$inserted = array();
		return array_map(
			function ( $row ) {
				return array_combine( self::COLUMNS, $row );
			},
			$unsaved
		);
	}

	/** @return array[] Rows that are to be sent now, in the order of their events. */
	public static function due(): array {
		global $wpdb;
		$sql  = 'SELECT * FROM ' . Tables::hooks() . " WHERE state = 'waiting' AND due_at <= %d ORDER BY id LIMIT %d";
		$rows = $wpdb->get_results( $wpdb->prepare( $sql, time(), self::BATCH ), ARRAY_A );
		return is_array( $rows ) ? $rows : array();
	}

	/** Tell whether a row will be due within a moment. */
	public static function is_settling(): bool {
		return self::has( 'due_at <= ' . ( time() + self::SETTLE_SECONDS ) );
	}

	public static function has_due(): bool {
		return self::has( 'due_at <= ' . time() );
	}

	private static function has( string $condition ): bool {
		global $wpdb;
		return (bool) $wpdb->get_var( 'SELECT 1 FROM ' . Tables::hooks() . " WHERE state = 'waiting' AND $condition LIMIT 1" );
	}

	/** @param int[] $ids */
	public static function delete( array $ids ): void {
		global $wpdb;
		if ( $ids ) {
			$wpdb->query( 'DELETE FROM ' . Tables::hooks() . ' WHERE id IN ( ' . implode( ', ', array_map( 'intval', $ids ) ) . ' )' );
		}
	}

	/** This row's own trouble, while others get through. @param int[] $ids */
	public static function postpone( array $ids, int $seconds, string $reason ): void {
		global $wpdb;
		self::set( $ids, $wpdb->prepare( 'tries = tries + 1, due_at = %d, reason = %s', time() + $seconds, self::shorten( $reason ) ) );
	}

	/** Kept with its reason, and not sent again by itself. @param int[] $ids */
	public static function set_aside( array $ids, string $state, string $reason ): void {
		global $wpdb;
		self::set( $ids, $wpdb->prepare( 'state = %s, reason = %s', $state, self::shorten( $reason ) ) );
	}

	/** Give up rows that are too old, and forget rows that were set aside a month ago. */
	public static function clean_up( string $last_error ): void {
		global $wpdb;
		$hooks = Tables::hooks();
		$old   = $wpdb->get_col( $wpdb->prepare( "SELECT id FROM $hooks WHERE state = 'waiting' AND occurred_at < %d", time() - self::GIVE_UP_SECONDS ) );
		self::set_aside( $old, 'given up', $last_error );
		self::delete( $wpdb->get_col( $wpdb->prepare( "SELECT id FROM $hooks WHERE state <> 'waiting' AND occurred_at < %d", time() - self::KEEP_SECONDS ) ) );
	}

	/** Send rows again that were set aside. They count as new: otherwise they would be too old at once. */
	public static function replay(): int {
		global $wpdb;
		$ids = $wpdb->get_col( 'SELECT id FROM ' . Tables::hooks() . " WHERE state <> 'waiting'" );
		self::set( $ids, "state = 'waiting', reason = '', tries = 0, due_at = 0, occurred_at = " . time() );
		return count( $ids );
	}

	public static function discard(): int {
		global $wpdb;
		$ids = $wpdb->get_col( 'SELECT id FROM ' . Tables::hooks() . " WHERE state <> 'waiting'" );
		self::delete( $ids );
		return count( $ids );
	}

	/** @param int[] $ids */
	private static function set( array $ids, string $assignments ): void {
		global $wpdb;
		foreach ( array_chunk( array_map( 'intval', $ids ), 1000 ) as $some ) {
			$sql = 'UPDATE ' . Tables::hooks() . " SET $assignments WHERE id IN ( " . implode( ', ', $some ) . ' )';
			self::quietly(
				function () use ( $wpdb, $sql ) {
					return $wpdb->query( $sql );
				}
			);
		}
	}

	private static function shorten( string $reason ): string {
		return function_exists( 'mb_substr' ) ? mb_substr( $reason, 0, 300 ) : substr( $reason, 0, 300 );
	}

	/**
	 * Ask the database without a trace: the code that fired the event may read $wpdb->insert_id afterwards.
	 *
	 * @return mixed What the question answers.
	 */
	public static function quietly( callable $question ) {
		global $wpdb;
		$kept = array();
		foreach ( array( 'insert_id', 'last_error', 'last_query', 'last_result', 'num_rows', 'rows_affected' ) as $name ) {
			$kept[ $name ] = $wpdb->$name;
		}
		$suppressed = $wpdb->suppress_errors( true );
		try {
			return $question();
		} finally {
			$wpdb->suppress_errors( $suppressed );
			foreach ( $kept as $name => $value ) {
				$wpdb->$name = $value;
			}
		}
	}
}
