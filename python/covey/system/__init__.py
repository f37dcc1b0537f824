"""Adapters to the machine: clock, entropy, home directory, identity files, locks, logging."""
