<?php
/**
 * The organization of a record whose action did not tell it, looked up while hooks are sent; and all organizations.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Organizations {
	const POST_TYPE = 'middag_organization';
	/** A license knows its entitlement, an entitlement its order: one step of that is followed. */
	const NEXT = array( 'entitlement_id', '_entitlement_id', 'quote_id', '_quote_id', 'order_id', '_order_id' );

	/** @param array $row A row of the queue. */
	public static function of( array $row ): ?int {
		$switched = is_multisite() && get_current_blog_id() !== (int) $row['site'];
		if ( $switched ) {
			switch_to_blog( (int) $row['site'] );
		}
		try {
			$domain = Names::domain_of( $row['event'] );
			$found  = self::look_up( $domain, (int) $row['record'] );
			/**
			 * Name the organization of a record.
			 *
			 * @param int|null    $found  What was found in the meta of the record.
			 * @param string      $domain 'license', 'order', …
			 * @param string|null $record The id of the record.
			 * @param string      $event  'license.activated', …
			 */
			return Reader::number( apply_filters( 'middag_panel_organization', $found, $domain, $row['record'], $row['event'] ) );
		} catch ( \Throwable $error ) {
			return null;
		} finally {
			if ( $switched ) {
				restore_current_blog();
			}
		}
	}

	/** Return the organization that the meta of this record, or of its source, names now. */
	public static function look_up( string $domain, int $record, int $depth = 0 ): ?int {
		if ( $record <= 0 ) {
			return null;
		}
		wp_cache_delete( $record, 'post_meta' ); // Another process may have written it since.
		if ( 'organization' === $domain || self::POST_TYPE === get_post_type( $record ) ) {
			return $record; // Also where an action named the organization instead of the record.
		}
		foreach ( Reader::META as $key ) {
			$number = Reader::number( self::meta( $domain, $record, $key ) );
			if ( $number ) {
				return $number;
			}
		}
		foreach ( 0 === $depth ? self::NEXT : array() as $key ) {
			$next  = (int) self::meta( $domain, $record, $key );
			$found = self::look_up( trim( str_replace( '_id', '', $key ), '_' ), $next, 1 );
			if ( $found ) {
				return $found;
			}
		}
		return null;
	}

	/** @return mixed */
	private static function meta( string $domain, int $record, string $key ) {
		if ( 'order' === $domain && function_exists( 'wc_get_order' ) ) {
			$order = wc_get_order( $record ); // WooCommerce may keep orders in tables of its own.
			return $order ? $order->get_meta( $key ) : '';
		}
		return get_post_meta( $record, $key, true );
	}

	/** @return int[] Every organization of this site. */
	public static function all(): array {
		global $wpdb;
		$sql = "SELECT ID FROM {$wpdb->posts} WHERE post_type = %s AND post_status NOT IN ( 'trash', 'auto-draft' ) ORDER BY ID";
		$ids = $wpdb->get_col( $wpdb->prepare( $sql, self::POST_TYPE ) );
		/**
		 * Name the organizations, when they do not lie in posts.
		 *
		 * @param int[] $ids
		 */
		$ids = apply_filters( 'middag_panel_organizations', array_map( 'intval', $ids ) );
		return array_values( array_unique( array_filter( array_map( array( Reader::class, 'number' ), (array) $ids ) ) ) );
	}
}
