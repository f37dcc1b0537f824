"""Figures of the Python face of the native core, beside the same work in PyNaCl and in pure Python."""
