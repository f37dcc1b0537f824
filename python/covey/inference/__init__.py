"""Sharing one machine's model with many peers: who may, how often, in which order, and what it cost. Pure."""
