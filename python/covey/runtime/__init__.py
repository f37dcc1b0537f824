"""Shells that drive the engines with real sockets, clocks and stores."""
