<?php
/* Stands for All in One SEO in tests: its model of a post, over a table of the same name with fewer columns. */
namespace AIOSEO\Plugin\Common\Models;

class Post {
	public $post_id;
	public $title;
	public $description;

	public static function getPost( $post_id ) {
		global $wpdb;
		$post          = new self();
		$post->post_id = $post_id;
		$row           = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM {$wpdb->prefix}aioseo_posts WHERE post_id = %d", $post_id ) );
		if ( $row ) {
			$post->title       = $row->title;
			$post->description = $row->description;
		}
		return $post;
	}

	public function save() {
		global $wpdb;
		$columns = array(
			'title'       => $this->title,
			'description' => $this->description,
		);
		$table   = $wpdb->prefix . 'aioseo_posts';
		if ( false === $wpdb->update( $table, $columns, array( 'post_id' => $this->post_id ) ) ) {
			$wpdb->insert( $table, $columns + array( 'post_id' => $this->post_id ) );
		}
	}
}
