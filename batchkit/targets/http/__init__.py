"""The floor of all targets behind HTTP: address, login, client, judgement. What they say is their own."""
