"""Questions to a room: put to everybody who is there, answered or declined by each for itself."""
