"""What a process shows of itself in Prometheus' text format: one writer for peers, relays and endpoints."""
