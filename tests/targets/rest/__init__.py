"""Tests of `batchkit/targets/rest/`."""
