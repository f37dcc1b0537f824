"""Who is there: SWIM membership with Lifeguard's local health and suspicion, as an extension of the node."""
