"""How well admission decides: a labelled set of scenarios, and a report of each path and kernel over it."""
