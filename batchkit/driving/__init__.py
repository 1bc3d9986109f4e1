"""Driving a session: chunks, gate, delivery, breakers, and their thread. `batchkit.run` is the door."""
