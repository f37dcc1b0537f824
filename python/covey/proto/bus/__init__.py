"""Messages between agents of different peers: the conversation that carries them (`x-covey-bus-v1`)."""
