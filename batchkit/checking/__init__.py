"""Checking rows: fields, mapping, conversions and rules, vectorised."""
