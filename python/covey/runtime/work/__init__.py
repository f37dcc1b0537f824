"""Tasks over a bus, in one process or over the mesh: the shell around `fleet/work`."""
