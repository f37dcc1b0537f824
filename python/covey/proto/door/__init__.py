"""Calls to another peer's model, as pieces under credit, sealed on the session."""
