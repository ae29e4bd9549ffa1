<?php
/**
 * From the name of an action to the kind of hook that the panel knows.
 *
 * MIDDAG fires middag/quote.created (its public bridge), middag/quote/created, and after that
 * middag/quote/created/<type>: one event, one kind. A signal without a domain of its own is named after its
 * class: middag/quote_created.
 */

namespace MiddagPanelHooks;

defined( 'ABSPATH' ) || exit;

final class Names {
	const DOMAINS = 'tax[_-]?invoice|organi[sz]ation|collaborator|entitlement|order|quote|licen[sc]e|ticket|invoice';

	/** The groups of which the panel takes every event, whatever its name. */
	const OPEN = array( 'order', 'quote', 'license', 'entitlement' );

	/** Of the other groups the panel knows these names. Any other name becomes '*': a needless hook costs one read. */
	const EVENTS = array(
		'organization' => array(
			'created'      => 'created',
			'updated'      => 'updated',
			'verified'     => 'verified',
			'deleted'      => 'deleted',
			'removed'      => 'deleted',
			'trashed'      => 'deleted',
			'*'            => 'updated',
		),
		'collaborator' => array(
			'added'    => 'added',
			'created'  => 'added',
			'invited'  => 'added',
			'accepted' => 'added',
			'joined'   => 'added',
			'removed'  => 'removed',
			'deleted'  => 'removed',
			'trashed'  => 'removed',
			'revoked'  => 'removed',
			'left'     => 'removed',
			'*'        => 'updated',
		),
		'ticket'       => array(
			'created'      => 'created',
			'completed'    => 'completed',
			'sla_breached' => 'sla_breached',
		),
		'invoice'      => array( 'issued' => 'issued' ),
		'tax_invoice'  => array(
			'issued' => 'issued',
			'failed' => 'failed',
		),
	);

	/** The kind of an action whose name has lost its prefix; '' when the panel has no use for it. */
	public static function kind( string $name ): string {
		$name = strtolower( preg_replace( '~(?<=[a-z])(?=[A-Z])~', '_', $name ) );
		if ( ! preg_match( '~^(' . self::DOMAINS . ')s?[._/-]+([a-z0-9_-]+)~', $name, $parts ) ) {
			return '';
		}
		$domain = self::domain( $parts[1] );
		$event  = preg_replace( '~_(signal|event)$~', '', str_replace( '-', '_', $parts[2] ) );
		if ( ! in_array( $domain, self::OPEN, true ) ) {
			$event = self::EVENTS[ $domain ][ $event ] ?? self::EVENTS[ $domain ]['*'] ?? '';
		}
		return '' === $event ? '' : substr( "$domain.$event", 0, 100 );
	}

	/** Return the domain of a kind: the text before the dot. */
	public static function domain_of( string $kind ): string {
		return explode( '.', $kind )[0];
	}

	/** One spelling for each domain. */
	private static function domain( string $spelled ): string {
		$spelled = str_replace( array( 'organisation', 'licence', '-' ), array( 'organization', 'license', '_' ), $spelled );
		return 'taxinvoice' === $spelled ? 'tax_invoice' : $spelled;
	}
}
