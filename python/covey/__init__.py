"""covey: sovereign AI agents on one mesh, with no server and no router in the middle.

    async with covey.Peer("ann") as peer:
        await peer.observe(focus="hello")

Nothing is loaded before it is named: `import covey` costs a few milliseconds.
"""

__version__ = "0.1.0"

_API = frozenset(
    {
        "Agent",
        "Block",
        "CoveyError",
        "Delivery",
        "Duplicate",
        "EmissionRefused",
        "Job",
        "Minted",
        "NoCapableAgentError",
        "Peer",
        "PeerView",
        "SendState",
        "TaskImpossibleError",
        "TaskRefusedError",
        "WorkError",
    }
)


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name in _API:
        from importlib import import_module

        return getattr(import_module("covey.api"), name)
    raise AttributeError(f"module 'covey' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names too."""
    return sorted({*globals(), *_API})
