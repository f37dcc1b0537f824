"""Peers and their paths as people see them: frozen values made of links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.model import PathView, PeerView

if TYPE_CHECKING:
    from covey.proto.link import Link, Peer


def view_of(peer: Peer, *, trusted: bool, pinned: bool) -> PeerView:
    """Return one peer as `peers` shows it: the path that carries records first."""
    active = peer.active or (peer.links[0] if peer.links else None)
    links = sorted(peer.links, key=lambda link: link is not active)
    return PeerView(
        node_id=peer.node_id,
        name=peer.name,
        fingerprint=peer.fingerprint,
        path="+".join(dict.fromkeys(link.path for link in links)),
        state=_state(peer, active),
        trusted=trusted,
        implementation=peer.implementation,
        address=active.address if active else "",
        identity="claimed" if peer.claimed else "pinned" if pinned else "proven",
        since_ms=peer.since_ms,
        paths=tuple(path_of(link, carries=link is peer.active) for link in links),
    )


def _state(peer: Peer, active: Link | None) -> str:
    """Say how it goes: `slow` takes less than we have for it, `pressing` sends more than its share."""
    if active is None:
        return "away"
    return "slow" if active.slow else "pressing" if peer.share.pressing else "open"


def path_of(link: Link, *, carries: bool) -> PathView:
    """Return one open link as a path; `carries` says that records travel on it."""
    seconds = link.rtt.smoothed_seconds
    return PathView(
        path=link.path,
        address=link.address,
        state="slow" if link.slow else "open",
        inbound=link.inbound,
        carries=carries,
        rtt_ms=None if seconds is None else round(seconds * 1000, 3),
        since_ms=link.since_ms,
    )
