"""Admission attestations between peers (`sym-attest-v1`): signed, chained, checkpointed, witnessed."""
