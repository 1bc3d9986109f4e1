"""Driving a session: chunks, gate, delivery, breakers, and the thread they run in. `batchkit.run` is the door."""
