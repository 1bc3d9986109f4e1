"""Tests of `batchkit/sandbox/`."""
