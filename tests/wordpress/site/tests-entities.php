<?php
/**
 * Plugin Name: The shapes of what actions are given
 * Description: Entities as MIDDAG's public library, its closed core, WordPress, or anybody might write them.
 */

namespace Tests;

defined( 'ABSPATH' ) || exit;

class Properties {
	public $id = 7;
	public $organization_id = 42;
}

class Camel {
	public $id = 7;
	public $organizationId = '42';
}

if ( PHP_VERSION_ID >= 80100 ) {
	eval( 'namespace Tests; final class Promoted { public function __construct( public readonly int $id = 7, public readonly ?int $organizationId = 42 ) {} }' );
}

/** MIDDAG's own contract: getId() and toArray(), and nothing else that is public. */
class Entity implements \JsonSerializable {
	protected $values;

	public function __construct( array $values = array( 'id' => 7, 'organization_id' => 42 ) ) {
		$this->values = $values;
	}

	public function getId() {
		return $this->values['id'] ?? null;
	}

	public function toArray() {
		return $this->values;
	}

	#[\ReturnTypeWillChange]
	public function jsonSerialize() {
		return $this->toArray();
	}
}

class Serializable implements \JsonSerializable {
	#[\ReturnTypeWillChange]
	public function jsonSerialize() {
		return array( 'id' => 7, 'organization' => array( 'id' => 42, 'name' => 'Acme' ) );
	}
}

class SnakeGetters {
	public function get_id() {
		return 7;
	}

	public function get_organization_id() {
		return 42;
	}
}

class CamelGetters {
	public function getId() {
		return 7;
	}

	public function getOrganizationId() {
		return new Id( 42 );
	}
}

class BareGetters {
	public function id() {
		return 7;
	}

	public function organizationId() {
		return 42;
	}
}

class Id {
	private $number;

	public function __construct( $number ) {
		$this->number = $number;
	}

	public function __toString() {
		return (string) $this->number;
	}
}

class Organization extends Entity {
}

/** An id that is an object of its own and has a method only. */
class Wrapped {
	private $id;

	public function __construct( $id ) {
		$this->id = $id;
	}

	public function value() {
		return $this->id;
	}
}

class WrappedGetters {
	public function getId() {
		return new Wrapped( 7 );
	}

	public function getOrganizationId() {
		return new Wrapped( 42 );
	}
}

class Attributes {
	public function getAttributes() {
		return array( 'Id' => 7, 'OrganizationId' => 42 );
	}
}

/** A collection, as frameworks have them. */
class Collection implements \IteratorAggregate {
	private $items;

	public function __construct( ...$items ) {
		$this->items = $items;
	}

	#[\ReturnTypeWillChange]
	public function getIterator() {
		return new \ArrayIterator( $this->items );
	}

	public function all() {
		return $this->items;
	}
}

/** Asked for an answer, it fires the same event again. */
class Firing {
	public function toArray() {
		do_action( 'middag/license.activated', new self() );
		return array( 'id' => 7, 'organization_id' => 42 );
	}
}

class WithOrganization {
	public $id = 7;

	public function getOrganization() {
		return new Organization( array( 'id' => 42 ) );
	}
}

class Magic {
	public function __get( $name ) {
		$values = array( 'id' => 7, 'organization_id' => 42 );
		return $values[ $name ] ?? null;
	}
}

class MagicCalls {
	public function __call( $name, $arguments ) {
		$values = array( 'getId' => 7, 'getOrganizationId' => 42 );
		if ( ! isset( $values[ $name ] ) ) {
			throw new \BadMethodCallException( $name );
		}
		return $values[ $name ];
	}
}

/** The closed core hands over a signal: it holds what it is about. */
class Signal {
	public function getAggregate() {
		return new Entity();
	}
}

class PayloadSignal {
	public function toPayload() {
		return array( 'license_id' => 7, 'organization_id' => 42 );
	}
}

/** Whatever it is asked, it throws; and reading a property warns. */
class Throwing implements \JsonSerializable, \ArrayAccess {
	public function __get( $name ) {
		throw new \RuntimeException( $name );
	}

	public function __call( $name, $arguments ) {
		throw new \Error( $name );
	}

	public function __isset( $name ) {
		throw new \Error( $name );
	}

	public function getId() {
		trigger_error( 'a warning of an entity', E_USER_WARNING );
		throw new \LogicException( 'id' );
	}

	public function get_organization_id( $wants ) {
		return 1;
	}

	public function toArray() {
		return 1 % 0;
	}

	#[\ReturnTypeWillChange]
	public function jsonSerialize() {
		throw new \Exception();
	}

	#[\ReturnTypeWillChange]
	public function offsetExists( $offset ) {
		throw new \Exception();
	}

	#[\ReturnTypeWillChange]
	public function offsetGet( $offset ) {
		throw new \Exception();
	}

	#[\ReturnTypeWillChange]
	public function offsetSet( $offset, $value ) {
		throw new \Exception();
	}

	#[\ReturnTypeWillChange]
	public function offsetUnset( $offset ) {
		throw new \Exception();
	}

	public function __toString() {
		throw new \Exception();
	}
}

/** What must never be called by somebody who only wants to know an id. */
class Dangerous {
	public $organization_id = 42;
	public $id = 7;
	public static $called = array();

	public function order() {
		self::$called[] = __FUNCTION__;
	}

	public function record() {
		self::$called[] = __FUNCTION__;
	}

	public function delete() {
		self::$called[] = __FUNCTION__;
	}
}
