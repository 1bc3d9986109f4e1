"""Tests of `batchkit/targets/wordpress/`."""
