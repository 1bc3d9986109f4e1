<?php
/*
 * Settings of a WordPress that lives for one test run. What differs from site to site lies beside this
 * file, in site.json.
 */
$site = json_decode( file_get_contents( __DIR__ . '/site.json' ), true );

define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:' . $site['socket'] );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
$table_prefix = 'wp_';

define( 'WP_HOME', $site['url'] );
define( 'WP_SITEURL', $site['url'] );
// Over plain HTTP, WordPress takes application passwords in this environment alone.
define( 'WP_ENVIRONMENT_TYPE', 'local' );

define( 'DISABLE_WP_CRON', true );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'WP_DEBUG', false );

foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as $purpose ) {
	define( $purpose . '_KEY', hash( 'sha256', $purpose . ' key of a test site' ) );
	define( $purpose . '_SALT', hash( 'sha256', $purpose . ' salt of a test site' ) );
}

if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
