<?php
/**
 * Asks an argument of an action for a value by its name. The argument may be an array, or an object of any kind.
 *
 * Each way of asking may throw, warn or be missing; then the next way is tried. Only methods that plainly return
 * a value are called.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Thing {
	const ARRAYS = array( 'toArray', 'to_array', 'jsonSerialize', 'toPayload', 'to_payload', 'getPayload', 'getArrayCopy', 'getAttributes', 'get_attributes', 'all' );
	/** Names that may be called as a method, too. Methods of other names, order() or record(), may change something. */
	const PLAIN  = array( 'id', 'value', 'organization_id', 'org_id', 'organization', 'aggregate', 'aggregate_id', 'entity', 'payload' );

	/** @var array<int, array> What the array methods of an object gave, by the object's number. */
	private static $arrays = array();
	/** @var object[] Objects that are held, because PHP gives the number of a freed object to another one. */
	private static $held = array();

	/** Release the argument. */
	public static function forget(): void {
		self::$arrays = array();
		self::$held   = array();
	}

	/** @return array{0: bool, 1: mixed} Whether the thing knows this name (in snake_case), and its value. */
	public static function ask( $thing, string $name ): array {
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
				continue; // This way failed; the next one may work.
			}
		}
		return array( false, null );
	}

	/** Look up the name in any spelling: organizationId, OrganizationID, organization-id. */
	private static function look_up( array $array, string $name, string $camel ): array {
		foreach ( array( $name, $camel ) as $key ) {
			if ( array_key_exists( $key, $array ) ) {
				return array( true, $array[ $key ] );
			}
		}
		$bare = str_replace( '_', '', $name );
		foreach ( $array as $key => $value ) {
			if ( is_string( $key ) && 0 === strcasecmp( $bare, str_replace( array( '_', '-' ), '', $key ) ) ) {
				return array( true, $value );
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

	/** Call a public method without parameters. Methods like `delete()` have no such names. */
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

	/** @return array[] Everything that the object says of itself as an array. */
	public static function arrays_of( $thing ): array {
		$number = spl_object_id( $thing );
		if ( $thing instanceof \WP_Post ) {
			return array(); // The post would query the database for its categories.
		}
		if ( isset( self::$arrays[ $number ] ) ) {
			return self::$arrays[ $number ];
		}
		self::$arrays[ $number ] = array();
		self::$held[]            = $thing;
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
		if ( ! is_callable( array( $thing, 'get_meta' ) ) || ! in_array( $name, Reader::ORGANIZATION, true ) ) {
			return array( false, null );
		}
		foreach ( Reader::META as $key ) {
			$value = Reader::number( $thing->get_meta( $key ) );
			if ( $value ) {
				return array( true, $value );
			}
		}
		return array( false, null );
	}

	private static function by_magic( $thing, string $name, string $camel ): array {
		if ( $thing instanceof \WC_Data ) {
			return array( false, null ); // The order writes a complaint about each name into the log.
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

	/** Return the method's result; null when it throws. */
	public static function silently( $thing, string $method, array $arguments ) {
		try {
			return $thing->$method( ...$arguments );
		} catch ( \Throwable $error ) {
			return null;
		}
	}
}
