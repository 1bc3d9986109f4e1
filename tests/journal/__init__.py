"""Tests of `batchkit/journal/`."""
