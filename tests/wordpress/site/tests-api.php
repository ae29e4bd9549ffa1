<?php
/**
 * Plugin Name: MIDDAG Account, played
 * Description: The part of the documented REST API that the panel reads, out of posts and their meta.
 *
 * A record is a post of the type middag_<domain>; its meta are the fields, as strings, as WordPress keeps them. A
 * record's meta `oddity` names how it is spoilt on its way out: a row of tests_oddities().
 */

defined( 'ABSPATH' ) || exit;

const TESTS_LISTS = array( 'orders' => 'order', 'quotes' => 'quote', 'licenses' => 'license', 'collaborators' => 'collaborator', 'entitlements' => 'entitlement' );
const TESTS_INTEGERS = array( 'id', 'organization_id', 'items_count', 'owner_id', 'activations_count', 'activations_limit', 'entitlement_id' );

/** What PHP developers write without a thought, and WordPress does by itself. A new one is one more row. */
function tests_oddities() {
	return array(
		'ids as strings'       => function ( $row ) {
			return array_map( 'strval', array_filter( $row, 'is_scalar' ) ) + $row;
		},
		'entities in texts'    => function ( $row ) {
			return array_map( function ( $value ) { return is_string( $value ) ? htmlspecialchars( $value ) : $value; }, $row );
		},
		'missing as empty'     => function ( $row ) {
			return array_map( function ( $value ) { return null === $value ? '' : $value; }, $row );
		},
		'keys left out'        => function ( $row ) {
			return array_filter( $row, function ( $value ) { return null !== $value; } );
		},
		'unknown keys'         => function ( $row ) {
			return $row + array( '_links' => array( 'self' => array() ), 'meta_data' => array( array( 'id' => 1 ) ) );
		},
		'prefix of WooCommerce' => function ( $row ) {
			return array( 'status' => 'wc-' . $row['status'] ) + $row;
		},
		'time without a zone'  => function ( $row ) {
			return array( 'date_created' => '2026-04-01 14:30:00' ) + $row;
		},
		'upper case'           => function ( $row ) {
			return array( 'status' => ucfirst( $row['status'] ) ) + $row;
		},
		'floats'               => function ( $row ) {
			return array( 'total' => (float) $row['total'] ) + $row;
		},
		'money as people write it' => function ( $row ) {
			return array( 'total' => 'R$ ' . number_format( $row['total'], 2, ',', '.' ) ) + $row;
		},
		'slashed quotes'       => function ( $row ) {
			return array( 'name' => addslashes( $row['name'] ) ) + $row;
		},
		'texturized'           => function ( $row ) {
			return array( 'name' => wptexturize( esc_html( $row['name'] ) ) ) + $row;
		},
		'a date that is false' => function ( $row ) {
			return array( 'date_completed' => false, 'date_created' => '' ) + $row;
		},
		'epoch seconds'        => function ( $row ) {
			return array( 'date_created' => 1775053800 ) + $row;
		},
		'a date of Brazil'     => function ( $row ) {
			return array( 'date_created' => '01/04/2026 14:30' ) + $row;
		},
		'a DateTime of PHP'    => function ( $row ) {
			return array( 'date_created' => new DateTime( '2026-04-01 14:30' ) ) + $row;
		},
		'zero dates'           => function ( $row ) {
			return array( 'date_completed' => '0000-00-00 00:00:00' ) + $row;
		},
		'items by their id'    => function ( $row ) {
			return array( 'line_items' => array( 901 => array( 'product_name' => 'Curso' ), 902 => null ) ) + $row;
		},
		'a limit that is empty' => function ( $row ) {
			return array( 'activations_limit' => '' ) + $row;
		},
		'a limit that is false' => function ( $row ) {
			return array( 'activations_limit' => false ) + $row;
		},
	);
}

/** The same for a whole list: the option tests_list_oddity names the row. */
function tests_list_oddities() {
	return array(
		'holes after array_filter' => function ( $rows ) {
			return array_combine( array_map( function ( $n ) { return 2 * $n + 1; }, array_keys( $rows ) ), $rows );
		},
		'a null among the rows'    => function ( $rows ) {
			return array_merge( $rows, array( null ) );
		},
		'rows as pairs'            => function ( $rows ) {
			return array_column( $rows, null, 'id' );
		},
	);
}

/** A record as the API tells it. */
function tests_row( $post ) {
	$row = array( 'id' => $post->ID, 'status' => 'publish' );
	foreach ( get_post_meta( $post->ID ) as $key => $values ) {
		$value       = maybe_unserialize( $values[0] );
		$row[ $key ] = in_array( $key, TESTS_INTEGERS, true ) ? (int) $value : $value;
	}
	$oddity = $row['oddity'] ?? '';
	unset( $row['oddity'] );
	$oddities = tests_oddities();
	return isset( $oddities[ $oddity ] ) ? $oddities[ $oddity ]( $row ) : $row;
}

function tests_envelope( $data, $meta = null ) {
	return array( 'success' => true, 'data' => $data, 'meta' => $meta, 'message' => null, 'errors' => null );
}

function tests_refusal( $status, $code, $detail ) {
	$body = array( 'success' => false, 'data' => null, 'meta' => null, 'message' => $detail, 'errors' => compact( 'code', 'detail' ) );
	return new WP_REST_Response( $body, $status );
}

/** WordPress's own shape of a refusal: what its permission callbacks give. */
function tests_permission( WP_REST_Request $request ) {
	if ( 'Bearer ' . CHATWOOT_CONTACT_VIEW_SECRET !== $request->get_header( 'authorization' ) ) {
		return new WP_Error( 'unauthorized', 'User not authenticated.', array( 'status' => 401 ) );
	}
	return true;
}

/** Null when the organization is there, else the refusal. */
function tests_check_organization( WP_REST_Request $request ) {
	$id = (int) $request->get_header( 'x_middag_organization' );
	if ( ! $id ) {
		return tests_refusal( 400, 'BAD_REQUEST', 'X-Middag-Organization is required' );
	}
	return 'middag_organization' === get_post_type( $id ) ? null : tests_refusal( 404, 'NOT_FOUND', "Organization $id not found" );
}

add_action(
	'rest_api_init',
	function () {
		$route = function ( $path, $answer ) {
			register_rest_route( 'middag-account/v1', $path, array( 'methods' => 'GET', 'permission_callback' => 'tests_permission', 'callback' => $answer ) );
		};
		$route(
			'/organizations/(?P<id>\d+)',
			function ( $request ) {
				$refusal = tests_check_organization( $request );
				return $refusal ? $refusal : tests_envelope( tests_row( get_post( (int) $request['id'] ) ) );
			}
		);
		foreach ( TESTS_LISTS as $name => $domain ) {
			$path = 'collaborators' === $name ? '/organizations/(?P<id>\d+)/collaborators' : "/$name";
			$route(
				$path,
				function ( $request ) use ( $domain ) {
					$refusal = tests_check_organization( $request );
					if ( $refusal ) {
						return $refusal;
					}
					$page  = max( 1, (int) $request['page'] );
					$each  = max( 1, (int) ( $request['per_page'] ? $request['per_page'] : 20 ) );
					$query = new WP_Query(
						array(
							'post_type'      => "middag_$domain",
							'post_status'    => 'any',
							'posts_per_page' => $each,
							'paged'          => $page,
							'meta_key'       => 'organization_id',
							'meta_value'     => (int) $request->get_header( 'x_middag_organization' ),
						)
					);
					$total = (int) $query->found_posts;
					$meta  = array( 'page' => $page, 'per_page' => $each, 'total' => $total, 'pages' => (int) ceil( $total / $each ) );
					$rows  = array_map( 'tests_row', $query->posts );
					$odd   = tests_list_oddities()[ get_option( 'tests_list_oddity' ) ] ?? null;
					return tests_envelope( $odd ? $odd( $rows ) : $rows, $meta );
				}
			);
		}
	}
);

add_action(
	'init',
	function () {
		foreach ( array_merge( array( 'organization' ), TESTS_LISTS ) as $domain ) {
			register_post_type( "middag_$domain", array( 'public' => false ) );
		}
	}
);

/** Make a record: its fields become meta, before the post's own hooks would tell anybody. */
function tests_make( $domain, $fields ) {
	$id = wp_insert_post(
		array(
			'import_id'   => $fields['id'] ?? 0,
			'post_type'   => "middag_$domain",
			'post_title'  => wp_slash( $fields['name'] ?? $domain ),
			'post_status' => 'publish',
			'meta_input'  => wp_slash( array_diff_key( $fields, array( 'id' => 1 ) ) ),
		)
	);
	return $id;
}
