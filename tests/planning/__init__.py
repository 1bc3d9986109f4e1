"""Tests of `batchkit/planning/`."""
