"""Relays: their frames, the relay's own centre, and a peer's side of the connection."""
