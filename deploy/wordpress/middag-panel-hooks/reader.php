<?php
/**
 * Which record, of which organization, an action is about: read out of whatever its arguments are.
 *
 * Every way of asking may throw, warn, or not be there; then the next way is tried. Nothing is called that is
 * not a plain question.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Reader {
	const ORGANIZATION = array( 'organization_id', 'org_id', 'organization', 'org' );
	/** Where a signal or an event keeps what it is about. */
	const WITHIN  = array( 'aggregate', 'entity', 'subject', 'model', 'payload', 'data', 'record' );
	const ARRAYS  = array( 'toArray', 'to_array', 'jsonSerialize', 'toPayload', 'to_payload', 'getPayload', 'getArrayCopy' );
	/** Asked as a method of just this name, too. Others, order() or record(), may do something. */
	const PLAIN   = array( 'id', 'organization_id', 'org_id', 'organization', 'aggregate', 'aggregate_id', 'entity', 'payload' );
	const META    = array( 'organization_id', '_organization_id', 'middag_organization_id', '_middag_organization_id', 'org_id', '_org_id' );
	const LARGEST = 2147483647; // The panel takes no larger id of an organization.

	/** @var array<int, array> What the array methods of an object gave, by the object's number. */
	private static $arrays = array();

	/**
	 * @param string $domain    What the action is about: 'license', …
	 * @param array  $arguments The action's, named ones too.
	 * @return array{0: ?string, 1: ?int, 2: bool} Record, organization, and whether the record says that it has none.
	 */
	public static function read( string $domain, array $arguments ): array {
		self::$arrays = array();
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
			self::$arrays = array();
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
				list( $found, $inner ) = self::ask( $argument, $name );
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
				list( $found, $value ) = self::ask( $thing, $name );
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

	/** @return array{0: bool, 1: mixed} Whether the thing knows this name (in snake_case), and its value. */
	private static function ask( $thing, string $name ): array {
		$camel = lcfirst( str_replace( '_', '', ucwords( $name, '_' ) ) );
		if ( is_array( $thing ) ) {
			return self::look_up( $thing, $name, $camel );
		}
		$ways = array( 'by_property', 'by_getter', 'by_array', 'by_meta', 'by_magic' );
		foreach ( $ways as $way ) {
			try {
				$answer = self::$way( $thing, $name, $camel );
				if ( $answer[0] ) {
					return $answer;
				}
			} catch ( \Throwable $error ) {
				continue; // This way is closed; the next one may be open.
			}
		}
		return array( false, null );
	}

	private static function look_up( array $array, string $name, string $camel ): array {
		foreach ( array( $name, $camel ) as $key ) {
			if ( array_key_exists( $key, $array ) ) {
				return array( true, $array[ $key ] );
			}
		}
		return array( false, null );
	}

	private static function by_property( $thing, string $name, string $camel ): array {
		$answer = self::look_up( get_object_vars( $thing ), $name, $camel ); // From here: the public ones.
		if ( ! $answer[0] && $thing instanceof \ArrayAccess && isset( $thing[ $name ] ) ) {
			return array( true, $thing[ $name ] );
		}
		return $answer;
	}

	private static function by_getter( $thing, string $name, string $camel ): array {
		$plain = in_array( $name, self::PLAIN, true ) ? array( $name, $camel ) : array();
		foreach ( array_merge( array( "get_$name", 'get' . ucfirst( $camel ) ), $plain ) as $method ) {
			if ( self::is_question( $thing, $method ) ) {
				return array( true, $thing->$method() );
			}
		}
		return array( false, null );
	}

	/** A public method that asks for nothing. `delete()` and its like have no such names. */
	private static function is_question( $thing, string $method ): bool {
		if ( ! method_exists( $thing, $method ) ) {
			return false;
		}
		$reflected = new \ReflectionMethod( $thing, $method );
		return $reflected->isPublic() && ! $reflected->isStatic() && 0 === $reflected->getNumberOfRequiredParameters();
	}

	private static function by_array( $thing, string $name, string $camel ): array {
		foreach ( self::arrays_of( $thing ) as $array ) {
			$answer = self::look_up( $array, $name, $camel );
			if ( $answer[0] ) {
				return $answer;
			}
		}
		return array( false, null );
	}

	/** @return array[] */
	private static function arrays_of( $thing ): array {
		$number = spl_object_id( $thing );
		if ( $thing instanceof \WP_Post ) {
			return array(); // It would ask the database for its categories.
		}
		if ( isset( self::$arrays[ $number ] ) ) {
			return self::$arrays[ $number ];
		}
		self::$arrays[ $number ] = array();
		foreach ( self::ARRAYS as $method ) {
			try {
				$array = self::is_question( $thing, $method ) ? $thing->$method() : null;
			} catch ( \Throwable $error ) {
				$array = null;
			}
			if ( is_object( $array ) ) {
				$array = get_object_vars( $array );
			}
			if ( is_array( $array ) ) {
				self::$arrays[ $number ][] = $array;
			}
		}
		return self::$arrays[ $number ];
	}

	/** WooCommerce's own records keep what others add to them as meta. */
	private static function by_meta( $thing, string $name ): array {
		if ( ! is_callable( array( $thing, 'get_meta' ) ) || ! in_array( $name, self::ORGANIZATION, true ) ) {
			return array( false, null );
		}
		foreach ( self::META as $key ) {
			$value = self::number( $thing->get_meta( $key ) );
			if ( $value ) {
				return array( true, $value );
			}
		}
		return array( false, null );
	}

	private static function by_magic( $thing, string $name, string $camel ): array {
		if ( $thing instanceof \WC_Data ) {
			return array( false, null ); // It complains about each name in the log.
		}
		foreach ( array( $name, $camel ) as $property ) {
			$value = method_exists( $thing, '__get' ) ? self::silently( $thing, '__get', array( $property ) ) : null;
			if ( null !== $value ) {
				return array( true, $value );
			}
		}
		foreach ( array( "get_$name", 'get' . ucfirst( $camel ) ) as $method ) {
			$value = method_exists( $thing, '__call' ) ? self::silently( $thing, '__call', array( $method, array() ) ) : null;
			if ( is_numeric( $value ) ) {
				return array( true, $value );
			}
		}
		return array( false, null );
	}

	private static function silently( $thing, string $method, array $arguments ) {
		try {
			return $thing->$method( ...$arguments );
		} catch ( \Throwable $error ) {
			return null;
		}
	}

	/** A usable id of an organization, also out of an organization or an object that stands for an id. */
	public static function number( $value, int $depth = 0 ): ?int {
		if ( ( is_array( $value ) || is_object( $value ) ) && $depth < 2 ) {
			foreach ( array( 'id', 'ID', 'value' ) as $name ) {
				list( $found, $inner ) = self::ask( $value, $name );
				if ( $found && null !== self::number( $inner, $depth + 1 ) ) {
					return self::number( $inner, $depth + 1 );
				}
			}
			$value = is_object( $value ) && method_exists( $value, '__toString' ) ? self::silently( $value, '__toString', array() ) : null;
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
