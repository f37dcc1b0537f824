"""Shared state between peers: pushes, digests to random peers, what is missing, no more (docs/state.md)."""
