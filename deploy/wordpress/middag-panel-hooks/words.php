<?php
/**
 * The texts for administrators in Portuguese, where the site speaks it. A PHP file needs no build step.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Words {
	/** @var array<string, string>|null */
	private static $portuguese;

	public static function start(): void {
		add_filter( 'gettext_middag-panel-hooks', array( self::class, 'translate' ), 10, 2 );
	}

	/** Translate, unless the site has its own translation. */
	public static function translate( $translation, $text ) {
		if ( $translation !== $text || 0 !== strpos( determine_locale(), 'pt' ) ) {
			return $translation;
		}
		self::$portuguese = self::$portuguese ?? require __DIR__ . '/pt_BR.php';
		return self::$portuguese[ $text ] ?? $translation;
	}

	public static function of_state( string $state ): string {
		$words = array(
			'refused'    => __( 'Refused', 'middag-panel-hooks' ),
			'given up'   => __( 'Given up after a week', 'middag-panel-hooks' ),
			'unassigned' => __( 'No organization', 'middag-panel-hooks' ),
		);
		return $words[ $state ] ?? $state;
	}
}
