<?php
/**
 * Plugin Name: batchkit SEO meta
 * Description: Opens the titles and descriptions of Yoast SEO, Rank Math, SEOPress and All in One SEO to the REST API, for users who may edit the post.
 * Version:     1.0.0
 * Requires at least: 5.6
 * Requires PHP: 7.2
 * License:     GPL-2.0-or-later
 * License URI: https://www.gnu.org/licenses/gpl-2.0.html
 *
 * Copy this file into wp-content/mu-plugins/ (make the folder if there is none). There is nothing to activate.
 */

namespace Batchkit\SeoMeta;

defined( 'ABSPATH' ) || exit;

const KEYS = array(
	'_yoast_wpseo_title',
	'_yoast_wpseo_metadesc',
	'rank_math_title',
	'rank_math_description',
	'_seopress_titles_title',
	'_seopress_titles_desc',
	'_aioseo_title',
	'_aioseo_description',
);

// All in One SEO (4.0 and later) reads these two from columns of its own table, never from the meta.
const AIOSEO = array(
	'_aioseo_title'       => 'title',
	'_aioseo_description' => 'description',
);

// Late, so that the post types of other plugins are there already.
add_action( 'init', __NAMESPACE__ . '\register', 99 );
add_filter( 'get_post_metadata', __NAMESPACE__ . '\read_aioseo', 10, 3 );
add_filter( 'add_post_metadata', __NAMESPACE__ . '\write_aioseo', 10, 4 );
add_filter( 'update_post_metadata', __NAMESPACE__ . '\write_aioseo', 10, 4 );
add_filter( 'delete_post_metadata', __NAMESPACE__ . '\delete_aioseo', 10, 3 );

/** Let the REST API show and write the keys, for every public post type. */
function register() {
	$types = get_post_types(
		array(
			'public'       => true,
			'show_in_rest' => true,
		)
	);
	foreach ( $types as $type ) {
		add_post_type_support( $type, 'custom-fields' ); // the REST API shows the meta of no other types
		foreach ( KEYS as $key ) {
			register_post_meta(
				$type,
				$key,
				array(
					'type'          => 'string',
					'single'        => true,
					'show_in_rest'  => true,
					'auth_callback' => __NAMESPACE__ . '\may_edit',
				)
			);
		}
	}
}

/** Who may edit a post may edit its SEO texts, and nobody else. Keys that begin with "_" need to be told. */
function may_edit( $allowed, $key, $post_id, $user_id ) {
	return user_can( $user_id, 'edit_post', $post_id );
}

/** Whether a key's value lies in All in One SEO's table. Only the REST API is concerned, not the plugin itself. */
function is_in_aioseo( $key ) {
	return isset( AIOSEO[ $key ] ) && defined( 'REST_REQUEST' ) && REST_REQUEST && ! is_copying()
		&& class_exists( '\AIOSEO\Plugin\Common\Models\Post' );
}

/** Show what All in One SEO shows. */
function read_aioseo( $value, $post_id, $key ) {
	if ( ! is_in_aioseo( $key ) ) {
		return $value;
	}
	$row = \AIOSEO\Plugin\Common\Models\Post::getPost( $post_id );
	return array( (string) $row->{ AIOSEO[ $key ] } );
}

/** Write where All in One SEO reads. Its own savePost() would reset all that isn't named along. */
function write_aioseo( $done, $post_id, $key, $value ) {
	if ( ! is_in_aioseo( $key ) ) {
		return $done;
	}
	$row          = \AIOSEO\Plugin\Common\Models\Post::getPost( $post_id );
	$row->post_id = $post_id;
	$row->{ AIOSEO[ $key ] } = $value;
	$row->save();
	// It keeps a copy in the meta for translation plugins; so do we.
	is_copying( true );
	update_post_meta( $post_id, $key, wp_slash( $value ) );
	is_copying( false );
	return true;
}

/** Back to All in One SEO's own template. */
function delete_aioseo( $done, $post_id, $key ) {
	return is_in_aioseo( $key ) ? write_aioseo( $done, $post_id, $key, '' ) : $done;
}

/** Whether the meta itself is meant for the moment. */
function is_copying( $now = null ) {
	static $copying = false;
	$copying = null === $now ? $copying : $now;
	return $copying;
}
