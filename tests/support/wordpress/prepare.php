<?php
/*
 * php prepare.php STEP WWW: what only WordPress itself can do to an empty database.
 *
 *   install  tables and the first user
 *   fill     users with application passwords, categories, tags; prints the passwords as JSON
 */
list( , $step, $www ) = $argv;

$site    = json_decode( file_get_contents( "$www/site.json" ), true );
$_SERVER = array(
	'REQUEST_METHOD'  => 'GET',
	'REQUEST_URI'     => '/',
	'SERVER_PROTOCOL' => 'HTTP/1.1',
	'HTTP_HOST'       => substr( $site['url'], strlen( 'http://' ) ),
) + $_SERVER;
if ( 'install' === $step ) {
	define( 'WP_INSTALLING', true );
}
require "$www/wp-load.php";
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

if ( 'install' === $step ) {
	wp_install( 'Practice', 'admin', 'admin@example.com', false, '', wp_generate_password() );
	exit;
}

update_option( 'permalink_structure', '/%postname%/' );
$wp_rewrite->init();
flush_rewrite_rules( false );

$passwords = array();
$roles     = array(
	'admin'      => 'administrator',
	'editor'     => 'editor',
	'author'     => 'author',
	'subscriber' => 'subscriber',
);
foreach ( $roles as $login => $role ) {
	$user = username_exists( $login );
	if ( ! $user ) {
		$user = wp_insert_user(
			array(
				'user_login' => $login,
				'user_pass'  => wp_generate_password(),
				'user_email' => "$login@example.com",
				'role'       => $role,
			)
		);
	}
	$made = WP_Application_Passwords::create_new_application_password( $user, array( 'name' => 'tests' ) );
	if ( is_wp_error( $made ) ) {
		fwrite( STDERR, $made->get_error_message() );
		exit( 1 );
	}
	$passwords[ $login ] = $made[0];
}
$names = array(
	'category' => array( 'Marketing', 'CRM', 'Développement web', 'Podcast' ),
	'post_tag' => array( 'Été', 'Vidéo', 'HubSpot', 'Inbound', 'Référencement' ),
);
foreach ( $names as $taxonomy => $terms ) {
	foreach ( $terms as $term ) {
		wp_insert_term( $term, $taxonomy );
	}
}
echo json_encode( $passwords );
