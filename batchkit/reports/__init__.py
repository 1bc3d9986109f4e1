"""What people get from a run: its figures, and files of each format."""
