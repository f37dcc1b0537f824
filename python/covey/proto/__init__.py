"""Engines: pure state machines, `handle(event, now) -> effects`; clocks and entropy are arguments."""
