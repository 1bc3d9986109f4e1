"""Tests of `batchkit/targets/`."""
