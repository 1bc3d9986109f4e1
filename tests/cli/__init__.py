"""Tests of `batchkit/cli/`."""
