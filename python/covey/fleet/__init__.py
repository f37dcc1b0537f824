"""Coordination without an orchestrator: messages, names, and how agents find, ask and decide."""
