"""Tests of `batchkit/checking/`."""
