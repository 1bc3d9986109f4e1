<?php
/* For PHP's own server: a file that exists is served as it is, all else is WordPress's to answer. */
$asked = parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
$file  = $_SERVER['DOCUMENT_ROOT'] . $asked;
if ( is_file( $file ) || ( '/' !== $asked && is_file( rtrim( $file, '/' ) . '/index.php' ) ) ) {
	return false;
}
$_SERVER['SCRIPT_NAME']     = '/index.php';
$_SERVER['PHP_SELF']        = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = $_SERVER['DOCUMENT_ROOT'] . '/index.php';
require $_SERVER['SCRIPT_FILENAME'];
