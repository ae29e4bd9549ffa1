<?php
/**
 * Finds the record and the organization of an action, in arguments of any kind.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Reader {
	const ORGANIZATION = array( 'organization_id', 'org_id', 'organization', 'org' );
	/** The names under which a signal or an event keeps its subject. */
	const WITHIN  = array( 'aggregate', 'entity', 'subject', 'model', 'payload', 'data', 'record' );
	const META    = array( 'organization_id', '_organization_id', 'middag_organization_id', '_middag_organization_id', 'org_id', '_org_id' );
	const LARGEST = 2147483647; // The panel takes no larger id of an organization.

	/**
	 * @param string $domain    What the action is about: 'license', …
	 * @param array  $arguments The action's, named ones too.
	 * @return array[] For each record: its id, its organization, whether it says that it has none, and its arguments.
	 */
	public static function read( string $domain, array $arguments ): array {
		// A getter may warn about a missing property, which must not fill a log.
		set_error_handler(
			function () {
				return true;
			}
		);
		try {
			$read = array();
			foreach ( self::split( array_map( array( self::class, 'decode' ), $arguments ) ) as $some ) {
				$read[] = array_merge( self::read_arguments( $domain, $some ), array( $some ) );
			}
			return $read;
		} finally {
			restore_error_handler();
			Thing::forget();
		}
	}

	private static function read_arguments( string $domain, array $arguments ): array {
		$things  = self::things( $domain, $arguments );
		$record  = self::first( $things, array( 'id', 'ID', $domain . '_id', 'aggregate_id', 'uuid', 'code' ), array( self::class, 'text' ) );
		$first   = $arguments[0] ?? null;
		$record  = $record ?? self::text( $first );
		$nobodys = false;
		if ( 'organization' === $domain ) {
			$number = self::first( $things, array( 'organization_id', 'org_id' ), array( self::class, 'number' ) ) ?? self::number( $record );
			return array( null === $number ? $record : (string) $number, $number, false );
		}
		$organization = self::first( $things, self::ORGANIZATION, array( self::class, 'number' ), $nobodys ) ?? self::organization_among( $arguments );
		$organization = $organization ?? self::organization_by_id( $arguments );
		return array( $record, $organization, $nobodys && null === $organization );
	}

	/** Return all places of an answer: each argument, then the values within it, then the named ones together. */
	private static function things( string $domain, array $arguments ): array {
		$things = array();
		$named  = array_filter( $arguments, 'is_string', ARRAY_FILTER_USE_KEY );
		foreach ( $named ? array_merge( array( $named ), array_values( $arguments ) ) : $arguments as $argument ) {
			if ( ! is_array( $argument ) && ! is_object( $argument ) ) {
				continue;
			}
			if ( self::is_organization( $argument ) && 'organization' !== $domain ) {
				continue; // The id is no record's.
			}
			$things[] = $argument;
			foreach ( array_merge( array( $domain ), self::WITHIN ) as $name ) {
				list( $found, $inner ) = Thing::ask( $argument, $name );
				if ( $found && ( is_array( $inner ) || is_object( $inner ) ) ) {
					$things[] = $inner;
				}
			}
		}
		return $things;
	}

	/**
	 * Return the first usable answer of any thing to any of the names.
	 *
	 * @param bool $empty Set when a thing had such a name, but nothing in it.
	 */
	private static function first( array $things, array $names, callable $use, bool &$empty = false ) {
		foreach ( $things as $thing ) {
			foreach ( $names as $name ) {
				list( $found, $value ) = Thing::ask( $thing, $name );
				$usable                = $found ? $use( $value ) : null;
				if ( null !== $usable ) {
					return $usable;
				}
				// WordPress's own posts answer '' to every name.
				$empty = $empty || ( $found && ! $value && ! $thing instanceof \WP_Post );
			}
		}
		return null;
	}

	/** Find an organization beside the record: middag/license.activated( $license, $organization ). */
	private static function organization_among( array $arguments ): ?int {
		foreach ( $arguments as $argument ) {
			if ( self::is_organization( $argument ) ) {
				return self::number( $argument );
			}
		}
		return null;
	}

	/** Find an organization's id behind the record's: middag/order.paid( 505, 42 ). The posts tell whether it is one. */
	private static function organization_by_id( array $arguments ): ?int {
		foreach ( array_slice( array_values( $arguments ), 1 ) as $argument ) {
			$number = is_scalar( $argument ) ? self::number( $argument ) : null;
			if ( $number && Organizations::POST_TYPE === get_post_type( $number ) ) {
				return $number;
			}
		}
		return null;
	}

	private static function is_organization( $thing ): bool {
		if ( $thing instanceof \WP_Post ) {
			return Organizations::POST_TYPE === $thing->post_type;
		}
		return is_object( $thing ) && (bool) preg_match( '~(^|\\\\)(middag_?)?organi[sz]ation_?(entity|model|dto|data)?$~i', get_class( $thing ) );
	}

	/** Return a usable id of an organization, also from an organization or an object that stands for an id. */
	public static function number( $value, int $depth = 0 ): ?int {
		if ( ( is_array( $value ) || is_object( $value ) ) && $depth < 2 ) {
			foreach ( array( 'id', 'ID', 'value' ) as $name ) {
				list( $found, $inner ) = Thing::ask( $value, $name );
				if ( $found && null !== self::number( $inner, $depth + 1 ) ) {
					return self::number( $inner, $depth + 1 );
				}
			}
			$value = self::written( $value );
		}
		if ( is_string( $value ) && ! preg_match( '~^[0-9]{1,10}$~', $value = trim( $value ) ) ) {
			return null;
		}
		$whole = is_int( $value ) || is_string( $value ) || ( is_float( $value ) && floor( $value ) === $value );
		return $whole && $value > 0 && $value <= self::LARGEST ? (int) $value : null;
	}

	/** Return the text of an object that stands for an id; null for any other object. */
	private static function written( $value ): ?string {
		if ( is_array( $value ) || ! method_exists( $value, '__toString' ) ) {
			return null;
		}
		$text = Thing::silently( $value, '__toString', array() );
		return is_string( $text ) ? $text : null;
	}

	/** A record as JSON is a record. */
	private static function decode( $argument ) {
		$is_json = is_string( $argument ) && preg_match( '~^\s*[\[{]~', $argument );
		$decoded = $is_json ? json_decode( $argument, true ) : null;
		return is_array( $decoded ) ? $decoded : $argument;
	}

	/**
	 * Several records in one event, middag/licenses.renewed( array( $one, $other ) ): the arguments for each of them.
	 *
	 * @return array[]
	 */
	private static function split( array $arguments ): array {
		$first = $arguments[0] ?? null;
		$lists = $first instanceof \Traversable ? Thing::arrays_of( $first ) : array( $first );
		foreach ( $lists as $list ) {
			if ( is_array( $list ) && self::is_list_of_records( $list ) ) {
				return array_map(
					function ( $record ) use ( $arguments ) {
						return array( $record ) + $arguments;
					},
					array_values( $list )
				);
			}
		}
		return array( $arguments );
	}

	/** Tell whether this is a list: numbered with or without holes (array_filter), of objects, arrays or ids. */
	private static function is_list_of_records( array $list ): bool {
		foreach ( $list as $key => $record ) {
			if ( ! is_int( $key ) || ! ( is_array( $record ) || is_object( $record ) || null !== self::number( $record ) ) ) {
				return false;
			}
		}
		return array() !== $list;
	}

	/** Return a record's id: mostly digits, but any short plain text is accepted. */
	private static function text( $value ): ?string {
		if ( is_array( $value ) || is_object( $value ) ) {
			$value = self::number( $value ) ?? self::written( $value );
		}
		if ( is_float( $value ) && floor( $value ) === $value && abs( $value ) < 1e15 ) {
			$value = number_format( $value, 0, '', '' );
		}
		$usable = ( is_int( $value ) && 0 !== $value ) || ( is_string( $value ) && preg_match( '~^[\x21-\x7e]{1,100}$~', $value ) );
		return $usable ? (string) $value : null;
	}
}
