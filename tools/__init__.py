"""What sets the project up and checks it; only the standard library, for nothing is installed yet."""
