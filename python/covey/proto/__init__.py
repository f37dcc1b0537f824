"""Engines: pure state machines, `handle(event, now) -> effects`; no clock, socket, file or randomness inside."""
