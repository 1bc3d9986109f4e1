"""Tests of `batchkit/demo/`."""
