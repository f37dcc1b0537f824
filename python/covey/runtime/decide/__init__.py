"""Deciding together over a bus: votes, auctions, solving. The same calls in one process and over the mesh."""
