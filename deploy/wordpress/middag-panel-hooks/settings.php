<?php
/**
 * The address of the panel, the secret that it shares with WordPress, and the prefix of the plugin's actions.
 *
 * Each is looked for as a constant, in the environment, and as an option (the name in lower case).
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Settings {
	const ADDRESS = array( 'MIDDAG_PANEL_URL' );
	// MIDDAG puts MIDDAG_ before the names of its own settings: the second name has that form.
	const SECRET  = array( 'CHATWOOT_CONTACT_VIEW_SECRET', 'MIDDAG_CHATWOOT_CONTACT_VIEW_SECRET' );
	const PREFIX  = array( 'MIDDAG_PANEL_PREFIX' );
	const DEFAULT_PREFIX = 'middag/';

	/** Return the address for hooks; '' when the setting is missing or is no address. */
	public static function address(): string {
		// The address of the dashboard app, if it was copied, has a launch key after the #, which is left out.
		$address = preg_replace( '~[?#].*$~s', '', trim( self::find( self::ADDRESS )[0] ) );
		$address = rtrim( $address, '/' );
		if ( ! preg_match( '~^https?://[^/\s@]+~i', $address ) ) {
			return '';
		}
		return preg_match( '~/sync/hooks$~', $address ) ? $address : $address . '/sync/hooks';
	}

	/** The first of a comma-separated list: the panel sends the first as well, and accepts all. */
	public static function secret(): string {
		return trim( explode( ',', self::find( self::SECRET )[0] )[0] );
	}

	/** @return string[] What the names of actions begin with; several are separated by commas. */
	public static function prefixes(): array {
		$text     = self::constant_or_environment( self::PREFIX[0] )[0];
		$loaded   = wp_load_alloptions(); // A missing option would cost each request a query.
		$text     = '' !== $text ? $text : (string) ( $loaded['middag_panel_prefix'] ?? '' );
		$prefixes = array();
		foreach ( array_filter( array_map( 'trim', explode( ',', $text ) ) ) as $prefix ) {
			$prefixes[] = preg_match( '~[a-z0-9]$~i', $prefix ) ? $prefix . '/' : $prefix;
		}
		return $prefixes ? $prefixes : array( self::DEFAULT_PREFIX );
	}

	/** Return a sentence about a fault of the settings; '' when hooks can be sent. */
	public static function fault(): string {
		if ( '' === trim( self::find( self::ADDRESS )[0] ) ) {
			return __( 'MIDDAG_PANEL_URL is not set.', 'middag-panel-hooks' );
		}
		if ( '' === self::address() ) {
			return __( 'MIDDAG_PANEL_URL is no address: it has to begin with https:// and name a host.', 'middag-panel-hooks' );
		}
		if ( '' === self::secret() ) {
			return __( 'CHATWOOT_CONTACT_VIEW_SECRET is not set.', 'middag-panel-hooks' );
		}
		return '';
	}

	/** Return a digest of the settings: when it changes, the pause of an earlier setting is over. */
	public static function fingerprint(): string {
		return substr( wp_hash( self::address() . '|' . self::secret() ), 0, 16 );
	}

	/** @return array{0: string, 1: string} The value, and in words where it was found. */
	public static function find( array $names ): array {
		foreach ( $names as $name ) {
			$found = self::constant_or_environment( $name );
			if ( '' !== $found[0] ) {
				return $found;
			}
		}
		foreach ( $names as $name ) {
			$value = self::option( strtolower( $name ) );
			if ( '' !== $value ) {
				/* translators: %s: the name of an option */
				return array( $value, sprintf( __( 'option %s', 'middag-panel-hooks' ), strtolower( $name ) ) );
			}
		}
		return array( '', '' );
	}

	private static function constant_or_environment( string $name ): array {
		if ( defined( $name ) && is_scalar( constant( $name ) ) && '' !== (string) constant( $name ) ) {
			/* translators: %s: the name of a constant */
			return array( (string) constant( $name ), sprintf( __( 'constant %s', 'middag-panel-hooks' ), $name ) );
		}
		$value = function_exists( 'getenv' ) ? getenv( $name ) : ''; // Some hosts have removed the function.
		// A web server hands its own variables over in $_SERVER, and PHP-FPM may have cleared the rest.
		$value = is_string( $value ) && '' !== $value ? $value : ( $_SERVER[ $name ] ?? $_ENV[ $name ] ?? '' );
		if ( is_string( $value ) && '' !== $value ) {
			/* translators: %s: the name of an environment variable */
			return array( $value, sprintf( __( 'environment variable %s', 'middag-panel-hooks' ), $name ) );
		}
		return array( '', '' );
	}

	/** Return an option: this site's; in a network, else the network's, else the main site's. */
	private static function option( string $name ): string {
		$value = get_option( $name, '' );
		if ( is_multisite() && ( ! is_string( $value ) || '' === $value ) ) {
			$value = get_site_option( $name, '' );
			$value = is_string( $value ) && '' !== $value ? $value : get_blog_option( get_main_site_id(), $name, '' );
		}
		return is_string( $value ) ? $value : '';
	}
}
