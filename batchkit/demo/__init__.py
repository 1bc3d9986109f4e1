"""The demo and the samples it runs on."""
