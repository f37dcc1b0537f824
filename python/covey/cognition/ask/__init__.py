"""A question to the whole mesh: who has something to say, what of it counts, and one answer that cites it."""
