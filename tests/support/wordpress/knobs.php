<?php
/*
 * Must-use plugin of test sites alone: nothing leaves the machine, and knobs.json is obeyed at each request.
 *
 *   only         methods the others hold for, like ["POST"]; all when absent
 *   sleep        seconds to wait before anything is done
 *   sleep_after  seconds to wait when all is written, before it is answered
 *   anonymous    true: lose the login, as web servers do that don't pass it on
 *   warning      text that PHP seems to print before the answer
 *   refuse       status to answer with, in HTML, as a firewall does
 */
if ( ! function_exists( 'wp_mail' ) ) {
	function wp_mail() {
		return true;
	}
}
add_filter(
	'pre_http_request',
	function () {
		return new WP_Error( 'offline', 'This site asks nothing of others.' );
	}
);

( function () {
	$file  = ABSPATH . 'knobs.json';
	$knobs = is_readable( $file ) ? json_decode( file_get_contents( $file ), true ) : array();
	$asked = isset( $_SERVER['REQUEST_METHOD'] ) ? $_SERVER['REQUEST_METHOD'] : 'GET';
	if ( ! $knobs || 'cli' === PHP_SAPI || ( isset( $knobs['only'] ) && ! in_array( $asked, $knobs['only'], true ) ) ) {
		return;
	}
	if ( ! empty( $knobs['sleep'] ) ) {
		usleep( (int) ( 1e6 * $knobs['sleep'] ) );
	}
	if ( ! empty( $knobs['refuse'] ) ) {
		http_response_code( $knobs['refuse'] );
		header( 'Content-Type: text/html' );
		echo '<html><head><title>Blocked</title></head><body><h1>Too many requests from your address</h1></body></html>';
		exit;
	}
	if ( ! empty( $knobs['anonymous'] ) ) {
		unset( $_SERVER['PHP_AUTH_USER'], $_SERVER['PHP_AUTH_PW'], $_SERVER['HTTP_AUTHORIZATION'] );
	}
	if ( ! empty( $knobs['warning'] ) ) {
		echo "<br />\n<b>Warning</b>:  " . $knobs['warning'] . " in <b>plugin.php</b> on line <b>7</b><br />\n";
	}
	if ( ! empty( $knobs['sleep_after'] ) ) {
		add_filter(
			'rest_pre_echo_response',
			function ( $answer ) use ( $knobs ) {
				usleep( (int) ( 1e6 * $knobs['sleep_after'] ) );
				return $answer;
			}
		);
	}
} )();
