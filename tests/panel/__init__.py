"""Tests of `batchkit/panel/`."""
