"""The peer's durable memory behind the ports: opening it, writing on one thread, reading for an agent."""

from covey.store.memory import StoreMemory
from covey.store.node import NodeStore
from covey.store.opening import open_store, store_error
from covey.store.wakes import StoreWakes
from covey.store.writer import Answer, Failed, StoreWriter, Written

__all__ = [
    "Answer",
    "Failed",
    "NodeStore",
    "StoreMemory",
    "StoreWakes",
    "StoreWriter",
    "Written",
    "open_store",
    "store_error",
]
