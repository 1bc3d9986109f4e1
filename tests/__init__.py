"""The tests; `services` and `needs` are shared with the benchmarks."""
