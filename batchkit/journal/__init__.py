"""The durable state of a run: its folder, journal, control messages, outcomes, owner and log."""
