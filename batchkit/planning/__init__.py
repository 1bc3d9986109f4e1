"""Making plans: diff, twins, lookups, deletes, the file, the inverse. `batchkit.job` is the door."""
