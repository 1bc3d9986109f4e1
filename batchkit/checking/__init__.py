"""Checking rows: conversions and rules, vectorised. `batchkit.checks` is the door."""
