"""What tests share: services that are started, samples, and stand-ins; the benchmarks use some of it too."""
