"""The shells of a shared model: the door itself, its HTTP, its upkeep, and the way to it through the mesh."""
