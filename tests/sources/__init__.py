"""Tests of `batchkit/sources/`."""
