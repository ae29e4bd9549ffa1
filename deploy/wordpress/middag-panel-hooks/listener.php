<?php
/**
 * Hearing: an action of the plugin, or a stand-in of WordPress or WooCommerce, becomes a hook in the queue.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Listener {
	/** Post types whose saving stands in for actions that the plugin does not fire. */
	const TYPES = array( 'organization', 'collaborator', 'entitlement', 'order', 'quote', 'license' );
	/** The same for WooCommerce's orders, whatever tables they lie in. */
	const ORDERS = array(
		'woocommerce_new_order'            => 'created',
		'woocommerce_update_order'         => 'updated',
		'woocommerce_order_status_changed' => 'status_changed',
		'woocommerce_order_refunded'       => 'refunded',
		'woocommerce_trash_order'          => 'deleted',
		'woocommerce_before_delete_order'  => 'deleted',
		'woocommerce_untrash_order'        => 'updated',
	);

	/** @var array<string, callable> Our listener of each name. */
	private static $listeners = array();
	/** @var bool Whether arguments are being read now. An action that our own reading sets off is no event. */
	private static $is_reading = false;

	public static function start(): void {
		array_map( array( self::class, 'watch' ), Settings::prefixes() );
		add_action( 'init', array( self::class, 'add_extra_actions' ), 0 );
		add_action( 'middag_panel_send', array( self::class, 'take_over' ) );
		foreach ( self::TYPES as $domain ) {
			add_action( "save_post_middag_$domain", array( self::class, 'hear_saved' ), PHP_INT_MAX, 3 );
		}
		add_action( 'wp_trash_post', array( self::class, 'hear_gone' ), PHP_INT_MIN );
		add_action( 'before_delete_post', array( self::class, 'hear_gone' ), PHP_INT_MIN );
		add_action( 'untrashed_post', array( self::class, 'hear_back' ) );
		foreach ( self::ORDERS as $name => $event ) {
			self::listen( $name, "order.$event" );
		}
	}

	/**
	 * WordPress calls this for each action and filter, thousands in a request, so it does next to nothing: a name that
	 * begins as ours do gets a listener, and WordPress calls that next. Only a listener of its own sees named arguments.
	 */
	private static function watch( string $prefix ): void {
		$length = strlen( $prefix );
		add_action(
			'all',
			static function ( $name ) use ( $prefix, $length ) {
				if ( is_string( $name ) && 0 === strncmp( $name, $prefix, $length ) ) {
					self::notice( $name, substr( $name, $length ) );
				}
			}
		);
	}

	private static function notice( string $name, string $rest ): void {
		// A name is checked once. Its listener is put back where other code has removed all listeners.
		if ( ! did_action( $name ) || ( isset( self::$listeners[ $name ] ) && ( ! self::$listeners[ $name ] || has_filter( $name, self::$listeners[ $name ] ) ) ) ) {
			return; // Heard already, or a filter.
		}
		try {
			self::$listeners[ $name ] = false;
			/**
			 * Name the kind of hook for an action of MIDDAG's; '' for none.
			 *
			 * @param string $kind 'quote.created', …, or ''.
			 * @param string $name The action.
			 */
			$kind = (string) apply_filters( 'middag_panel_kind', Names::kind( $rest ), $name );
			if ( '' !== $kind ) {
				self::listen( $name, $kind );
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	/** Actions of others: add_filter( 'middag_panel_actions', … ) returns names of actions, and the kind of each. */
	public static function add_extra_actions(): void {
		try {
			foreach ( (array) apply_filters( 'middag_panel_actions', array() ) as $name => $kind ) {
				self::listen( (string) $name, (string) $kind );
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	/** Our listener comes first, because a later one may end the request. The hook is sent after the request. */
	private static function listen( string $name, string $kind ): void {
		self::$listeners[ $name ] = function ( ...$arguments ) use ( $kind ) {
			self::hear( $kind, $arguments );
			return $arguments[0] ?? null; // Other code may use the name for a filter, too.
		};
		add_action( $name, self::$listeners[ $name ], PHP_INT_MIN, PHP_INT_MAX );
	}

	/** Run the code, and keep its failures from the code that fired the action. */
	public static function hear( string $kind, array $arguments ): void {
		if ( self::$is_reading ) {
			return;
		}
		self::$is_reading = true;
		try {
			$hooks = array();
			foreach ( Reader::read( Names::domain_of( $kind ), $arguments ) as list( $record, $organization, $nobodys, $some ) ) {
				$hooks[] = self::compose( $kind, $record, $organization, $nobodys, $some );
			}
			self::ring( $hooks );
		} catch ( \Throwable $error ) {
			self::complain( $error );
		} finally {
			self::$is_reading = false;
		}
	}

	/** @return array|null What Queue::put takes; null when a filter keeps it from being sent. */
	private static function compose( string $kind, ?string $record, ?int $organization, bool $nobodys, array $arguments ): ?array {
		$hook = array(
			'event'        => $kind,
			'record'       => $record,
			'organization' => $organization,
		);
		/**
		 * Change a hook before it is kept, or keep it from being sent by returning null.
		 *
		 * @param array|null $hook      'event', 'record', 'organization'.
		 * @param array      $arguments Those of the action.
		 */
		$hook = apply_filters( 'middag_panel_hook', $hook, $arguments );
		if ( ! is_array( $hook ) || empty( $hook['event'] ) ) {
			return null;
		}
		$record       = isset( $hook['record'] ) && is_scalar( $hook['record'] ) ? substr( (string) $hook['record'], 0, 100 ) : null;
		$organization = Reader::number( $hook['organization'] ?? null );
		return array( substr( (string) $hook['event'], 0, 100 ), $record, $organization, $nobodys && null === $organization );
	}

	/** @param array[] $hooks */
	private static function ring( array $hooks ): void {
		$hooks = array_values( array_filter( $hooks ) );
		if ( $hooks ) {
			Queue::put( $hooks );
			Wake::after_request();
		}
	}

	/** Meta is mostly written after the post, so the organization is looked for when the hook is sent. */
	public static function hear_saved( $id, $post = null, $is_update = true ): void {
		try {
			if ( ! $post instanceof \WP_Post || wp_is_post_revision( $post ) || in_array( $post->post_status, array( 'auto-draft', 'trash' ), true ) ) {
				return;
			}
			self::ring_post( $post, $is_update ? 'updated' : 'created' );
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	public static function hear_gone( $id ): void {
		self::hear_post( $id, 'deleted' );
	}

	public static function hear_back( $id ): void {
		self::hear_post( $id, 'updated' );
	}

	private static function hear_post( $id, string $event ): void {
		try {
			$post = get_post( $id );
			if ( $post instanceof \WP_Post ) {
				self::ring_post( $post, $event );
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	private static function ring_post( \WP_Post $post, string $event ): void {
		if ( 0 !== strpos( $post->post_type, 'middag_' ) || ! in_array( substr( $post->post_type, 7 ), self::TYPES, true ) ) {
			return;
		}
		$domain       = substr( $post->post_type, 7 );
		$kind         = Names::kind( "$domain.$event" );
		// A post that is being deleted has its meta now, and not later.
		$organization = 'organization' === $domain || 'deleted' === $event ? Organizations::look_up( $domain, (int) $post->ID ) : null;
		self::ring( array( self::compose( $kind, (string) $post->ID, $organization, false, array( $post ) ) ) );
	}

	/** Send the hook of a job that the first version of this plugin has left in the scheduler. */
	public static function take_over( $body ): void {
		try {
			$hook = json_decode( (string) $body, true );
			$data = $hook['data'] ?? array();
			if ( ! empty( $hook['event'] ) && isset( $data['organization_id'] ) ) {
				self::ring( array( array( (string) $hook['event'], isset( $data['id'] ) ? (string) $data['id'] : null, Reader::number( $data['organization_id'] ), false ) ) );
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	private static function complain( \Throwable $error ): void {
		Log::write( 'an event was not heard: ' . $error->getMessage() );
	}
}
