<?php
/**
 * The HTTP request that sends a hook. With cURL all of a drain's hooks go over one connection. WordPress's own
 * client would open a connection for each hook, and is used where cURL is missing.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Sender {
	const CONNECT_SECONDS = 4;
	const SECONDS         = 8;
	const LARGEST_ANSWER  = 65536;

	/** @var resource|\CurlHandle|null */
	private static $connection;

	/** @param array $row A row of the queue, with its organization; a test has none. */
	public static function send( array $row ): Answer {
		$data = array();
		if ( null !== $row['organization'] ) {
			$data['organization_id'] = (int) $row['organization'];
		}
		if ( null !== $row['record'] ) {
			$data['id'] = ctype_digit( $row['record'] ) && strlen( $row['record'] ) < 18 ? (int) $row['record'] : $row['record'];
		}
		$hook = array(
			'event'     => $row['event'],
			'timestamp' => gmdate( 'Y-m-d\TH:i:s\Z', (int) $row['occurred_at'] ),
			'id'        => $row['uuid'],
			'data'      => (object) $data,
		);
		return self::post( Settings::address(), (string) wp_json_encode( $hook ) );
	}

	private static function post( string $address, string $body ): Answer {
		$headers = array(
			'Content-Type'  => 'application/json',
			'Accept'        => 'application/json',
			'Authorization' => 'Bearer ' . Settings::secret(),
		);
		if ( function_exists( '_wp_http_get_object' ) && _wp_http_get_object()->block_request( $address ) ) {
			$host = wp_parse_url( $address, PHP_URL_HOST );
			/* translators: %s: a host name */
			return new Answer( 0, '', array(), sprintf( __( 'WP_HTTP_BLOCK_EXTERNAL forbids the request. Add %s to WP_ACCESSIBLE_HOSTS.', 'middag-panel-hooks' ), $host ) );
		}
		return function_exists( 'curl_init' ) ? self::post_by_curl( $address, $headers, $body ) : self::post_by_wordpress( $address, $headers, $body );
	}

	private static function post_by_wordpress( string $address, array $headers, string $body ): Answer {
		$answer = wp_remote_post(
			$address,
			array(
				'timeout'             => self::SECONDS,
				'redirection'         => 0,
				'limit_response_size' => self::LARGEST_ANSWER,
				'user-agent'          => self::user_agent(),
				'headers'             => $headers,
				'body'                => $body,
			)
		);
		if ( is_wp_error( $answer ) ) {
			return new Answer( 0, '', array(), $answer->get_error_message() );
		}
		$named = array();
		foreach ( array( 'retry-after', 'location' ) as $name ) {
			$value          = wp_remote_retrieve_header( $answer, $name );
			$named[ $name ] = is_array( $value ) ? (string) end( $value ) : (string) $value;
		}
		return new Answer( (int) wp_remote_retrieve_response_code( $answer ), wp_remote_retrieve_body( $answer ), array_filter( $named ) );
	}

	private static function post_by_curl( string $address, array $headers, string $body ): Answer {
		self::$connection = self::$connection ?? curl_init();
		$received         = '';
		$named            = array();
		curl_reset( self::$connection ); // The connection stays open.
		curl_setopt_array( self::$connection, self::options( $address, $headers, $body ) + self::trust( $address ) + self::proxy( $address ) );
		curl_setopt( self::$connection, CURLOPT_HEADERFUNCTION, self::read_header( $named ) );
		curl_setopt( self::$connection, CURLOPT_WRITEFUNCTION, self::read_body( $received ) );
		curl_exec( self::$connection );
		$status = (int) curl_getinfo( self::$connection, CURLINFO_RESPONSE_CODE );
		$error  = curl_error( self::$connection );
		if ( '' !== $error ) {
			curl_close( self::$connection );
			self::$connection = null;
			return new Answer( 0, '', array(), $error );
		}
		return new Answer( $status, $received, $named );
	}

	private static function options( string $address, array $headers, string $body ): array {
		$lines = array( 'Expect:' ); // cURL would wait for a 100 before larger bodies.
		foreach ( $headers as $name => $value ) {
			$lines[] = "$name: $value";
		}
		return array(
			CURLOPT_URL            => $address,
			CURLOPT_POST           => true,
			CURLOPT_POSTFIELDS     => $body,
			CURLOPT_HTTPHEADER     => $lines,
			CURLOPT_USERAGENT      => self::user_agent(),
			CURLOPT_FOLLOWLOCATION => false,
			CURLOPT_PROTOCOLS      => CURLPROTO_HTTP | CURLPROTO_HTTPS,
			CURLOPT_NOSIGNAL       => true,
			CURLOPT_CONNECTTIMEOUT => self::CONNECT_SECONDS,
			CURLOPT_TIMEOUT        => self::SECONDS,
		);
	}

	private static function read_header( array &$named ): callable {
		return function ( $connection, $line ) use ( &$named ) {
			$parts = explode( ':', $line, 2 );
			if ( 2 === count( $parts ) ) {
				$named[ strtolower( trim( $parts[0] ) ) ] = trim( $parts[1] );
			}
			return strlen( $line );
		};
	}

	/** Read the answer. Bytes beyond the length of a panel's answer are not kept. */
	private static function read_body( string &$received ): callable {
		return function ( $connection, $part ) use ( &$received ) {
			$received .= substr( $part, 0, self::LARGEST_ANSWER - strlen( $received ) );
			return strlen( $part );
		};
	}

	/** Check certificates as WordPress does. */
	private static function trust( string $address ): array {
		/** This filter is documented in wp-includes/class-wp-http.php */
		$verify = (bool) apply_filters( 'https_ssl_verify', true, $address );
		return array(
			CURLOPT_SSL_VERIFYPEER => $verify,
			CURLOPT_SSL_VERIFYHOST => $verify ? 2 : 0,
			CURLOPT_CAINFO         => ABSPATH . WPINC . '/certificates/ca-bundle.crt',
		);
	}

	/** Use the proxy of wp-config.php (WP_PROXY_HOST and so on). */
	private static function proxy( string $address ): array {
		$proxy = new \WP_HTTP_Proxy();
		if ( ! $proxy->is_enabled() || ! $proxy->send_through_proxy( $address ) ) {
			return array();
		}
		$options = array(
			CURLOPT_PROXY     => $proxy->host(),
			CURLOPT_PROXYPORT => $proxy->port(),
		);
		if ( $proxy->use_authentication() ) {
			$options[ CURLOPT_PROXYAUTH ]    = CURLAUTH_ANY;
			$options[ CURLOPT_PROXYUSERPWD ] = $proxy->authentication();
		}
		return $options;
	}

	private static function user_agent(): string {
		return 'middag-panel-hooks/' . MIDDAG_PANEL_HOOKS;
	}
}
