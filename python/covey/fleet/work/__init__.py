"""Tasks: handed out under leases, each with one accepted result. Pure; the shell is `runtime/work`."""
