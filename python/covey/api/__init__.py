"""covey from Python: a peer, its blocks, its state, and an agent on it. `import covey` offers these names.

Rules: what a program can do here is what the command line does, by the same parts and the same checks.
Errors are `covey.errors.CoveyError` with a message and a next step; a handler's own exception never stops
the peer.
"""

from covey.api.agent import Agent
from covey.api.peer import Peer
from covey.errors import CoveyError
from covey.fleet.work.task import NoCapableAgentError, WorkError
from covey.model import Block, Delivery, Duplicate, EmissionRefused, Minted, PeerView, SendState
from covey.runtime.work.job import Job, TaskImpossibleError, TaskRefusedError

__all__ = [
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
]
