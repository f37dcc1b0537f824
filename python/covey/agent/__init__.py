"""The agent loop as a pure engine: context, prompt, reply, threads, and the engine that joins them."""
