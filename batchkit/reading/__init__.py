"""Reading sources: CSV text, workbooks, frames and queries become batches of text. `batchkit.tables` is the door."""
