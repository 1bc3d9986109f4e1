"""The formats of a report, one file each, and what they share: `batchkit.report` is the door."""
