"""Tests of `batchkit/targets/http/`."""
