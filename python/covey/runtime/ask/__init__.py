"""The shell of questions to a room: it looks for others, and gathers, checks and writes back its own."""
