"""The server itself: the app, its faults, and what they do to the wire."""
