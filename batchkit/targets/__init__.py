"""The systems that can be written to, one module each."""
