"""Reading sources: CSV, workbooks, frames and queries become text. `batchkit.tables` is the door."""
