<?php
/**
 * Hearing: an action of the plugin, or a stand-in of WordPress or WooCommerce, becomes a hook in the queue.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Listener {
	/** Post types whose saving stands in for actions that the plugin does not fire. */
	const TYPES = array( 'organization', 'collaborator', 'entitlement', 'order', 'quote', 'license' );

	/** @var array<string, bool> Names that have a listener. */
	private static $heard = array();

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
		self::listen( 'woocommerce_new_order', 'order.created' );
		self::listen( 'woocommerce_order_status_changed', 'order.status_changed' );
		self::listen( 'woocommerce_order_refunded', 'order.refunded' );
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
		if ( isset( self::$heard[ $name ] ) || ! did_action( $name ) ) {
			return; // Heard already, or a filter.
		}
		try {
			self::$heard[ $name ] = true;
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

	/** First in the row: a listener after us may end the request, and the hook is only sent when that is over. */
	private static function listen( string $name, string $kind ): void {
		add_action(
			$name,
			function ( ...$arguments ) use ( $kind ) {
				self::hear( $kind, $arguments );
				return $arguments[0] ?? null; // Should somebody use the name for a filter, too.
			},
			PHP_INT_MIN,
			PHP_INT_MAX
		);
	}

	/** Nothing that happens in here reaches whoever fired the action. */
	public static function hear( string $kind, array $arguments ): void {
		try {
			list( $record, $organization, $nobodys ) = Reader::read( Names::domain_of( $kind ), $arguments );
			self::ring( $kind, $record, $organization, $nobodys, $arguments );
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	private static function ring( string $kind, ?string $record, ?int $organization, bool $nobodys, array $arguments ): void {
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
			return;
		}
		$record       = isset( $hook['record'] ) && is_scalar( $hook['record'] ) ? substr( (string) $hook['record'], 0, 100 ) : null;
		$organization = Reader::number( $hook['organization'] ?? null );
		Queue::put( substr( (string) $hook['event'], 0, 100 ), $record, $organization, $nobodys && null === $organization );
		Wake::after_request();
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
		// What is being deleted has its meta now, and not later.
		$organization = 'organization' === $domain || 'deleted' === $event ? Organizations::look_up( $domain, (int) $post->ID ) : null;
		self::ring( $kind, (string) $post->ID, $organization, false, array( $post ) );
	}

	/** A job that the first version of this plugin has left in the scheduler: its hook is sent by this one. */
	public static function take_over( $body ): void {
		try {
			$hook = json_decode( (string) $body, true );
			$data = $hook['data'] ?? array();
			if ( ! empty( $hook['event'] ) && isset( $data['organization_id'] ) ) {
				Queue::put( (string) $hook['event'], isset( $data['id'] ) ? (string) $data['id'] : null, Reader::number( $data['organization_id'] ), false );
				Wake::after_request();
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	private static function complain( \Throwable $error ): void {
		error_log( 'MIDDAG panel hooks: an event was not heard: ' . $error->getMessage() );
	}
}
