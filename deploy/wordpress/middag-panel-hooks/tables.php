<?php
/**
 * The two tables, one pair for a whole network of sites: the waiting hooks, and facts about the sending.
 *
 * Hooks have no unique key but their number, so that an INSERT never waits. WooCommerce inserts within
 * transactions: with a unique key, two customers' requests could wait for each other, or end in a deadlock.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Tables {
	const VERSION = '1';
	const OPTION  = 'middag_panel_hooks_tables';

	public static function hooks(): string {
		global $wpdb;
		return $wpdb->base_prefix . 'middag_panel_hooks';
	}

	public static function state(): string {
		global $wpdb;
		return $wpdb->base_prefix . 'middag_panel_state';
	}

	/** Make the tables once for each site, never within an event: CREATE TABLE would commit a customer's transaction. */
	public static function ensure(): void {
		if ( self::VERSION !== get_option( self::OPTION ) && ! wp_installing() ) {
			self::create();
			update_option( self::OPTION, self::VERSION, true );
		}
	}

	public static function create(): void {
		global $wpdb;
		$charset = $wpdb->get_charset_collate();
		$hooks   = self::hooks();
		$state   = self::state();
		Queue::quietly(
			function () use ( $wpdb, $charset, $hooks, $state ) {
				$wpdb->query(
					"CREATE TABLE IF NOT EXISTS $hooks (
						id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
						uuid char(36) NOT NULL,
						site bigint unsigned NOT NULL,
						event varchar(100) NOT NULL,
						organization bigint unsigned NULL,
						record varchar(100) NULL,
						nobodys tinyint NOT NULL,
						occurred_at bigint NOT NULL,
						due_at bigint NOT NULL,
						tries int NOT NULL DEFAULT 0,
						state varchar(20) NOT NULL DEFAULT 'waiting',
						reason varchar(500) NOT NULL DEFAULT ''
					) $charset"
				);
				$wpdb->query( "CREATE TABLE IF NOT EXISTS $state ( name varchar(40) NOT NULL PRIMARY KEY, value text NOT NULL, until bigint NOT NULL DEFAULT 0 ) $charset" );
				$wpdb->query( "INSERT IGNORE INTO $state ( name, value ) VALUES ( 'lease', '' )" );
			}
		);
	}
}

/** Facts about the sending, in a table of their own: a cache of options cannot make them old. */
final class State {
	/** @return array<string, string> Every fact by its name; what was never noted is missing. */
	public static function all(): array {
		global $wpdb;
		$rows = Queue::quietly(
			function () use ( $wpdb ) {
				return $wpdb->get_results( 'SELECT name, value FROM ' . Tables::state(), ARRAY_A );
			}
		);
		return array_column( is_array( $rows ) ? $rows : array(), 'value', 'name' );
	}

	/** @param array<string, string|int> $facts */
	public static function note( array $facts ): void {
		global $wpdb;
		foreach ( $facts as $name => $value ) {
			Queue::quietly(
				function () use ( $wpdb, $name, $value ) {
					$wpdb->query(
						$wpdb->prepare(
							'INSERT INTO ' . Tables::state() . ' ( name, value ) VALUES ( %s, %s ) ON DUPLICATE KEY UPDATE value = VALUES( value )',
							$name,
							(string) $value
						)
					);
				}
			);
		}
	}
}

/** The lease of the one drain, over all machines: its owner renews it, and it ends with a dead owner. */
final class Lease {
	const SECONDS = 30;

	/** @var string */
	private static $owner = '';
	/** @var int */
	private static $renewed_at = 0;

	/** Tell, without a lock, whether a process sends. */
	public static function is_taken(): bool {
		global $wpdb;
		$until = Queue::quietly(
			function () use ( $wpdb ) {
				return $wpdb->get_var( 'SELECT until FROM ' . Tables::state() . " WHERE name = 'lease'" );
			}
		);
		if ( null === $until ) {
			Tables::create(); // Somebody has emptied or dropped the table.
		}
		return (int) $until > time();
	}

	public static function take(): bool {
		global $wpdb;
		if ( self::is_taken() ) {
			return false; // Most requests of a busy shop end here.
		}
		self::$owner      = wp_generate_uuid4();
		self::$renewed_at = time();
		$sql              = 'UPDATE ' . Tables::state() . " SET value = %s, until = %d WHERE name = 'lease' AND until <= %d";
		return 1 === $wpdb->query( $wpdb->prepare( $sql, self::$owner, time() + self::SECONDS, time() ) );
	}

	/** Renew the lease; returns false when another process has taken it: then this drain has to end. */
	public static function renew(): bool {
		global $wpdb;
		if ( time() - self::$renewed_at < 5 ) {
			return true;
		}
		self::$renewed_at = time();
		$sql              = 'UPDATE ' . Tables::state() . " SET until = %d WHERE name = 'lease' AND value = %s";
		return 1 === $wpdb->query( $wpdb->prepare( $sql, time() + self::SECONDS, self::$owner ) );
	}

	public static function release(): void {
		global $wpdb;
		$sql = 'UPDATE ' . Tables::state() . " SET until = 0 WHERE name = 'lease' AND value = %s";
		$wpdb->query( $wpdb->prepare( $sql, self::$owner ) );
	}
}
