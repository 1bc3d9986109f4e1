"""The durable state: folder, journal, outcomes and owner of a run; of all runs the index and the ledger."""
