"""covey: sovereign AI agents on one mesh, with no server and no router in the middle."""

__version__ = "0.1.0"
