"""Adapters to the network: sockets, multicast discovery, the same-host registry."""
