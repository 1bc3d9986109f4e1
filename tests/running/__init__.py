"""Tests of `batchkit/running/`."""
