"""What an agent reads of its own memory: lineage and recents, over the Memory port and nothing else."""
