<?php
/**
 * Which record, of which organization, an action is about: read out of whatever its arguments are.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Reader {
	const ORGANIZATION = array( 'organization_id', 'org_id', 'organization', 'org' );
	/** Where a signal or an event keeps what it is about. */
	const WITHIN  = array( 'aggregate', 'entity', 'subject', 'model', 'payload', 'data', 'record' );
	const META    = array( 'organization_id', '_organization_id', 'middag_organization_id', '_middag_organization_id', 'org_id', '_org_id' );
	const LARGEST = 2147483647; // The panel takes no larger id of an organization.

	/**
	 * @param string $domain    What the action is about: 'license', …
	 * @param array  $arguments The action's, named ones too.
	 * @return array{0: ?string, 1: ?int, 2: bool} Record, organization, and whether the record says that it has none.
	 */
	public static function read( string $domain, array $arguments ): array {
		// A getter may warn about a missing property; that is no news for anybody's log.
		set_error_handler(
			function () {
				return true;
			}
		);
		try {
			return self::read_arguments( $domain, $arguments );
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
		return array( $record, $organization, $nobodys && null === $organization );
	}

	/** Everything that may hold an answer: each argument, then what lies within it, then the named ones together. */
	private static function things( string $domain, array $arguments ): array {
		$things = array();
		$named  = array_filter( $arguments, 'is_string', ARRAY_FILTER_USE_KEY );
		foreach ( $named ? array_merge( array( $named ), array_values( $arguments ) ) : $arguments as $argument ) {
			if ( ! is_array( $argument ) && ! is_object( $argument ) ) {
				continue;
			}
			if ( self::is_organization( $argument ) && 'organization' !== $domain ) {
				continue; // Its id is no record's.
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
	 * The first answer of any thing to any of the names that can be used.
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
				// WordPress's own posts answer to every name, with ''.
				$empty = $empty || ( $found && ! $value && ! $thing instanceof \WP_Post );
			}
		}
		return null;
	}

	/** An organization that was given beside the record: middag/license.activated( $license, $organization ). */
	private static function organization_among( array $arguments ): ?int {
		foreach ( $arguments as $argument ) {
			if ( self::is_organization( $argument ) ) {
				return self::number( $argument );
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

	/** A usable id of an organization, also out of an organization or an object that stands for an id. */
	public static function number( $value, int $depth = 0 ): ?int {
		if ( ( is_array( $value ) || is_object( $value ) ) && $depth < 2 ) {
			foreach ( array( 'id', 'ID', 'value' ) as $name ) {
				list( $found, $inner ) = Thing::ask( $value, $name );
				if ( $found && null !== self::number( $inner, $depth + 1 ) ) {
					return self::number( $inner, $depth + 1 );
				}
			}
			$value = is_object( $value ) && method_exists( $value, '__toString' ) ? Thing::silently( $value, '__toString', array() ) : null;
		}
		if ( is_string( $value ) && ! preg_match( '~^[0-9]{1,10}$~', $value = trim( $value ) ) ) {
			return null;
		}
		$whole = is_int( $value ) || is_string( $value ) || ( is_float( $value ) && floor( $value ) === $value );
		return $whole && $value > 0 && $value <= self::LARGEST ? (int) $value : null;
	}

	/** A record's id: digits mostly, but any short plain text will do. */
	private static function text( $value ): ?string {
		if ( is_array( $value ) || is_object( $value ) ) {
			$value = self::number( $value );
		}
		if ( is_float( $value ) && floor( $value ) === $value && abs( $value ) < 1e15 ) {
			$value = number_format( $value, 0, '', '' );
		}
		$usable = ( is_int( $value ) && 0 !== $value ) || ( is_string( $value ) && preg_match( '~^[\x21-\x7e]{1,100}$~', $value ) );
		return $usable ? (string) $value : null;
	}
}
