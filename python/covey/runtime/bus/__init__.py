"""The in-process bus: messages between agents of one process, by the same envelope as over the mesh."""
