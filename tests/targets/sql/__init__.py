"""Tests of `batchkit/targets/sql/`."""
