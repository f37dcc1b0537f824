"""What a peer makes of what it remembers: when it may speak of it, and of what a remix is still about."""
