"""The control socket of a peer: codec (pure), server (asyncio), client (blocking)."""
