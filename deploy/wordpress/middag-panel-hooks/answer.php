<?php
/**
 * The answer to a hook, and its meaning.
 *
 * Only the panel's own answer counts. A page that answers 200 to every request has taken no hook, and a proxy's
 * 413 is no verdict on this hook.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Answer {
	/** The panel has kept it. */
	const TAKEN   = 'taken';
	/** The panel will never take this one hook. */
	const REFUSED = 'refused';
	/** Address or secret are wrong: every hook would get this answer until an administrator mends them. */
	const WRONG   = 'wrong';
	/** The panel is away, or asks to wait. */
	const LATER   = 'later';

	/** @var int HTTP status, 0 when there was no answer. */
	public $status;
	/** @var string */
	public $body;
	/** @var array<string, string> Names in lower case. */
	public $headers;
	/** @var string Why there was no answer, in words. */
	public $error;

	public function __construct( int $status, string $body = '', array $headers = array(), string $error = '' ) {
		$this->status  = $status;
		$this->body    = $body;
		$this->headers = $headers;
		$this->error   = $error;
	}

	public function verdict(): string {
		if ( $this->status >= 200 && $this->status < 300 ) {
			return '' === $this->word() ? self::WRONG : self::TAKEN;
		}
		if ( in_array( $this->status, array( 413, 415, 422 ), true ) && '' !== $this->code() ) {
			return self::REFUSED;
		}
		if ( 0 === $this->status || 408 === $this->status || 429 === $this->status || $this->status >= 500 ) {
			return self::LATER;
		}
		return self::WRONG;
	}

	/** Return the seconds that the panel asks us to wait; 0 when it names none. */
	public function retry_after(): int {
		$text = $this->headers['retry-after'] ?? '';
		return preg_match( '~^[0-9]{1,6}$~', $text ) ? min( 3600, (int) $text ) : 0;
	}

	/** Return 'accepted', 'duplicate' or 'ignored'; '' when another server answered. */
	public function word(): string {
		$status = $this->json()['status'] ?? '';
		return in_array( $status, array( 'accepted', 'duplicate', 'ignored' ), true ) ? $status : '';
	}

	/** Return the panel's code for a refusal; '' when another server answered. */
	private function code(): string {
		$code = $this->json()['error']['code'] ?? '';
		return is_string( $code ) && preg_match( '~^[a-z_]{1,40}$~', $code ) ? $code : '';
	}

	private function json(): array {
		$read = json_decode( $this->body, true );
		return is_array( $read ) ? $read : array();
	}

	/** Describe the answer for an administrator. Of the body, only the panel's own code is quoted. */
	public function words(): string {
		$code  = '' === $this->code() ? '' : ' ' . $this->code();
		$words = array(
			/* translators: %s: a URL */
			3   => sprintf( __( 'This address points elsewhere (%s). Set MIDDAG_PANEL_URL to the final address.', 'middag-panel-hooks' ), $this->headers['location'] ?? '?' ),
			200 => __( 'Something else than the panel answers at this address. Check MIDDAG_PANEL_URL.', 'middag-panel-hooks' ),
			401 => __( 'The panel does not accept the secret, or a proxy removed the header Authorization. Both sides need the same CHATWOOT_CONTACT_VIEW_SECRET.', 'middag-panel-hooks' ),
			403 => __( 'Something before the panel, a firewall perhaps, refuses the request.', 'middag-panel-hooks' ),
			404 => __( 'There is no panel at this address. Check MIDDAG_PANEL_URL.', 'middag-panel-hooks' ),
			413 => __( 'The hook is too large for the panel.', 'middag-panel-hooks' ),
			415 => __( 'The panel does not take this content type.', 'middag-panel-hooks' ),
			422 => __( 'The panel cannot read this hook.', 'middag-panel-hooks' ),
			429 => __( 'The panel asks to wait, because a wrong secret came too often.', 'middag-panel-hooks' ),
			503 => __( 'The panel could not keep the hook, or is being restarted.', 'middag-panel-hooks' ),
			5   => __( 'The panel, or the proxy before it, has a fault.', 'middag-panel-hooks' ),
			4   => __( 'The panel does not take the hook.', 'middag-panel-hooks' ),
		);
		if ( 0 === $this->status ) {
			/* translators: %s: an error message */
			return sprintf( __( 'The panel did not answer: %s', 'middag-panel-hooks' ), $this->error );
		}
		if ( self::TAKEN === $this->verdict() ) {
			return sprintf( '%d %s', $this->status, $this->word() );
		}
		$hundred = intdiv( $this->status, 100 );
		$found   = 2 === $hundred ? $words[200] : ( $words[ $this->status ] ?? $words[ $hundred ] ?? $words[4] );
		return sprintf( '%s (%d%s)', $found, $this->status, $code );
	}
}
