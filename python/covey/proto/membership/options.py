"""The numbers of membership, in seconds: a killed process is found in about three, a silent one in five."""

from __future__ import annotations

from covey.values import dataclass

TOKEN = "x-covey-member-v1"
"""The extension token both hellos offer."""
FRAME_TYPE = "x-covey-member"
STATEMENT = "x-covey-member-v1"
"""The kind under which a member signs what it says of itself."""


@dataclass(frozen=True, slots=True)
class MembershipOptions:
    """How a node watches the others (SWIM, Das et al. 2002; Lifeguard, Dadgar et al. 2017).

    `period` is the time between two probes, `probe_timeout` how long a direct one may take before `helpers`
    other peers are asked to probe too; who finds one silent tells `alarms` peers at once, and they look too.
    A suspect is dead after `suspicion_most` times log10(n + 1) periods (at least one), after
    `suspicion_least` where `confirmations` others accuse it, after `suspicion_alone` where nobody else is
    there to look; and where there is a session to it, only when `looks` further probes came to nothing: all
    that while it is asked again and again.
    `gossip_factor` times log10(n + 1) is how often one piece of news is passed on.
    `health_most` bounds how far a node that is itself slow stretches its own times.
    """

    period: float = 1.0
    probe_timeout: float = 0.5
    helpers: int = 3
    suspicion_least: float = 2.0
    suspicion_alone: float = 3.0
    suspicion_most: float = 5.0
    confirmations: int = 3
    alarms: int = 8
    looks: int = 2
    gossip_factor: int = 4
    health_most: int = 8
    sync_period: float = 15.0
