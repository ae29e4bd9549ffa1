<?php
/**
 * The actions of an administrator, on the Tools page and on the command line. Each returns a sentence.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Actions {
	/** @return array<string, string> The name of each, and its label. */
	public static function labels(): array {
		return array(
			'test'     => __( 'Send a test hook', 'middag-panel-hooks' ),
			'send'     => __( 'Send now what waits', 'middag-panel-hooks' ),
			'ring-all' => __( 'Ring for every organization', 'middag-panel-hooks' ),
			'replay'   => __( 'Send again what was set aside', 'middag-panel-hooks' ),
			'discard'  => __( 'Delete what was set aside', 'middag-panel-hooks' ),
		);
	}

	/** @return array{0: bool, 1: string} Whether it went well, and what happened. */
	public static function perform( string $name ): array {
		$calls = array(
			'test'     => 'test',
			'send'     => 'send',
			'ring-all' => 'ring_all',
			'replay'   => 'replay',
			'discard'  => 'discard',
		);
		if ( ! isset( $calls[ $name ] ) ) {
			return array( false, __( 'There is no such action.', 'middag-panel-hooks' ) );
		}
		Tables::ensure();
		return call_user_func( array( self::class, $calls[ $name ] ) );
	}

	/** Send a hook of a kind that the panel does not know: the panel notes it and does nothing. It is not queued. */
	private static function test(): array {
		$fault = Settings::fault();
		if ( '' !== $fault ) {
			return array( false, $fault );
		}
		$answer = Sender::send(
			array(
				'uuid'         => wp_generate_uuid4(),
				'event'        => 'sender.test',
				'organization' => null,
				'record'       => null,
				'occurred_at'  => time(),
			)
		);
		if ( Answer::TAKEN !== $answer->verdict() ) {
			State::note( array( 'last_error' => $answer->words(), 'last_error_at' => time() ) );
			return array( false, $answer->words() );
		}
		Drain::succeed();
		State::note( array( 'last_delivered' => time() ) );
		Wake::after_request();
		/* translators: %s: the panel's answer, "202 ignored" */
		return array( true, sprintf( __( 'The panel has taken the test hook (%s).', 'middag-panel-hooks' ), $answer->words() ) );
	}

	private static function send(): array {
		State::note( array( 'paused_until' => 0 ) );
		Drain::run( 10 );
		$status = new Status();
		if ( $status->is_failing() ) {
			return array( false, $status->last_error() );
		}
		/* translators: %s: a number */
		return array( true, sprintf( __( 'Done. Waiting: %s.', 'middag-panel-hooks' ), number_format_i18n( $status->waiting ) ) );
	}

	private static function ring_all(): array {
		$organizations = Organizations::all();
		if ( ! $organizations ) {
			return array( false, __( 'No organization was found. When they do not lie in posts of the type middag_organization, name them by the filter middag_panel_organizations.', 'middag-panel-hooks' ) );
		}
		if ( ! Queue::put_organizations( $organizations ) ) {
			return array( false, __( 'The database does not keep hooks.', 'middag-panel-hooks' ) );
		}
		Wake::after_request();
		/* translators: %s: a number */
		return array( true, sprintf( __( 'Organizations for which a hook waits now: %s.', 'middag-panel-hooks' ), number_format_i18n( count( $organizations ) ) ) );
	}

	private static function replay(): array {
		$number = Queue::replay();
		Wake::after_request();
		/* translators: %s: a number */
		return array( true, sprintf( __( 'Hooks that wait again: %s.', 'middag-panel-hooks' ), number_format_i18n( $number ) ) );
	}

	private static function discard(): array {
		/* translators: %s: a number */
		return array( true, sprintf( __( 'Hooks that were deleted: %s.', 'middag-panel-hooks' ), number_format_i18n( Queue::discard() ) ) );
	}
}
