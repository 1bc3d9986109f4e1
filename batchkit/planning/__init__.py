"""Making plans: diff, twins, lookups, deletes, the file itself, and the inverse. `batchkit.job` is the door."""
