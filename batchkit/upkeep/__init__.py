"""What happens when nobody looks: old runs, files and logs go."""
