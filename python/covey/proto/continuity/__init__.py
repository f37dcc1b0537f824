"""Continuity: a declared standby goes on with an agent when its node is gone (docs/continuity.md)."""
