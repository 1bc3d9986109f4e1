"""Tests of `batchkit/reports/`."""
