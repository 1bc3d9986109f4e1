"""Tests of `batchkit/targets/whatsapp/`."""
