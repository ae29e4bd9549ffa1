<?php
/**
 * Plugin Name: MIDDAG panel hooks
 * Description: Tells the contact panel for Chatwoot what changed, and repeats it until the panel has kept it.
 * Version: 2.0.0
 * Requires at least: 5.5
 * Requires PHP: 7.4
 *
 * Must-use plugin: copy this file and the folder middag-panel-hooks beside it to wp-content/mu-plugins.
 * It needs MIDDAG_PANEL_URL and CHATWOOT_CONTACT_VIEW_SECRET: constants, environment or options.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

if ( defined( 'MIDDAG_PANEL_HOOKS' ) ) {
	return; // The file was copied twice, as a must-use plugin and as an ordinary one.
}
define( 'MIDDAG_PANEL_HOOKS', '2.0.0' );

/** Load the parts; returns a sentence about a missing part, or '' when all are there. */
function load_parts() {
	if ( PHP_VERSION_ID < 70400 ) {
		return 'MIDDAG panel hooks needs PHP 7.4 or newer: it sends nothing.';
	}
	$parts = array(
		'log',
		'settings',
		'tables',
		'queue',
		'names',
		'thing',
		'reader',
		'organizations',
		'answer',
		'sender',
		'drain',
		'unsaved',
		'wake',
		'listener',
		'words',
		'status',
		'actions',
		'site-health',
		'tools-page',
		'command',
	);
	foreach ( $parts as $part ) {
		$file = __DIR__ . "/middag-panel-hooks/$part.php";
		if ( ! is_readable( $file ) ) {
			return 'MIDDAG panel hooks lacks its folder: copy middag-panel-hooks beside middag-panel-hooks.php. It sends nothing.';
		}
		require_once $file;
	}
	return '';
}

/** Report a fault. No code of ours may end a customer's request, not even a broken copy of this plugin. */
function start() {
	try {
		$missing = load_parts();
		if ( '' === $missing ) {
			Listener::start();
			Wake::start();
			Words::start();
			Site_Health::start();
			Tools_Page::start();
			Command::start();
			return;
		}
	} catch ( \Throwable $error ) {
		$missing = 'MIDDAG panel hooks cannot start: ' . $error->getMessage();
	}
	add_action(
		'admin_notices',
		function () use ( $missing ) {
			if ( current_user_can( 'manage_options' ) ) {
				echo '<div class="notice notice-error"><p>' . esc_html( $missing ) . '</p></div>';
			}
		}
	);
}

start();
