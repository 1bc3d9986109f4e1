"""batchkit: a spreadsheet becomes thousands of changes in a live system."""
