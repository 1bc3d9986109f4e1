"""Tests of `batchkit/core/`."""
