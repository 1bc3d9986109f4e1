"""Tests of `batchkit/targets/chat/`."""
