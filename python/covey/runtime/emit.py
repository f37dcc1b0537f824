"""Emitting a block and hearing what became of it at each peer, for callers that wait for the answer."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import NetworkError, UsageError
from covey.model import EmissionResult, Minted, PeerSend, PeerView, Proposal, SendState
from covey.proto.news import News, SendSettled
from covey.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Set

    from covey.ports import Outbox
    from covey.runtime.node import Node

_NODE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TAKEN = frozenset({SendState.DELIVERED, SendState.EXECUTED})


@dataclass(frozen=True, slots=True)
class Emission:
    """A result, and the last that was heard of each send.

    `settled` is False when the wait ran out before every peer that was waited for answered; `taken` says
    whether at least one peer took the block, or was given it and never tells (or has executed it, where that
    was waited for).
    """

    result: EmissionResult
    sends: tuple[PeerSend, ...] = ()
    settled: bool = True
    taken: bool = False


async def emit_and_wait(
    node: Node,
    proposal: Proposal,
    wait_seconds: float,
    *,
    until: SendState = SendState.DELIVERED,
    tell: Callable[[PeerSend], None] | None = None,
) -> Emission:
    """Emit, then wait until every peer that is there said what became of the block.

    Args:
        node: A running node.
        proposal: What to emit.
        wait_seconds: Longest wait for receipts; 0 returns what is known at once.
        until: DELIVERED, or EXECUTED to wait until a peer's application has finished with the block.
        tell: Gets each state as it comes, the first ones included.
    """
    heard: dict[tuple[str, str], PeerSend] = {}
    enough: set[tuple[str, str]] = set()
    minted: list[str] = []
    news_came = asyncio.Event()

    def listen(news: News) -> None:
        if isinstance(news, SendSettled):
            place = (news.assertion_id, news.send.node_id)
            heard[place] = news.send
            if until is not SendState.EXECUTED or news.final or news.send.state is SendState.EXECUTED:
                enough.add(place)
            if tell is not None and news.assertion_id in minted:
                tell(news.send)
            news_came.set()

    unsubscribe = node.subscribe(listen)
    try:
        result = await node.emit(proposal)
        if not isinstance(result, Minted):
            return Emission(result)
        open_ends = _awaited(result.sends)
        asserted = result.block.assertion_id
        minted.append(asserted)
        for send in result.sends:
            if tell is not None:
                tell(heard.get((asserted, send.node_id), send))
        settled = await _all_heard(news_came, enough, {(asserted, peer) for peer in open_ends}, wait_seconds)
    finally:
        unsubscribe()
    sends = tuple(heard.get((asserted, send.node_id), send) for send in result.sends)
    if until is SendState.EXECUTED:
        taken = any(send.state is SendState.EXECUTED for send in sends)
    else:
        taken = any(
            send.state in _TAKEN or (send.state is SendState.ACCEPTED and (asserted, send.node_id) in heard)
            for send in sends
        )
    return Emission(replace(result, sends=sends), sends, settled, taken)


def _awaited(sends: Sequence[PeerSend]) -> set[str]:
    """Return whose answers are waited for: those who are there; when nobody is, those who are away."""
    here = {send.node_id for send in sends if send.state is SendState.ACCEPTED}
    return here or {send.node_id for send in sends if send.state is SendState.UNKNOWN}


async def _all_heard(
    news_came: asyncio.Event,
    heard: Set[tuple[str, str]],
    wanted: set[tuple[str, str]],
    wait_seconds: float,
) -> bool:
    try:
        async with asyncio.timeout(wait_seconds):
            while not wanted <= heard:
                news_came.clear()
                await news_came.wait()
    except TimeoutError:
        return False
    return True


def addressee(word: str, peers: Sequence[PeerView]) -> str:
    """Return the nodeId that `word` names: a nodeId itself, or the name of one connected peer.

    Raises:
        NetworkError: Nobody connected has this name.
        UsageError: Several have.
    """
    if _NODE_ID.fullmatch(word):
        return word
    named = [peer for peer in peers if peer.name == word]
    if len(named) == 1:
        return named[0].node_id
    if named:
        known = ", ".join(peer.node_id for peer in named)
        raise UsageError(
            f'"{word}" names {len(named)} connected peers: {known}',
            code="ambiguous_peer",
            hint="use a node id",
        )
    connected = ", ".join(sorted(peer.name for peer in peers)) or "nobody"
    raise NetworkError(
        f'no connected peer named "{word}"',
        code="unknown_peer",
        hint=f"connected: {connected}; one that is away is named by its node id, and gets it when it is back",
    )


async def track(
    node: Node, outbox: Outbox, assertion_id: str, known: str, wait_seconds: float
) -> dict[str, Any]:
    """Return what became of a directed block: at once if final or not what is `known`, else when it changes.

    Args:
        node: A running node, whose news ends the wait.
        outbox: Its store; read on a thread.
        assertion_id: Which block.
        known: The state that the asker knows; empty for none.
        wait_seconds: Longest wait for another one.

    Returns:
        `{"sends": [{"node_id", "name", "state", "reason", "closed", …}]}`; empty where nobody was addressed.
    """
    changed = asyncio.Event()
    unsubscribe = node.subscribe(
        lambda news: (
            changed.set() if isinstance(news, SendSettled) and news.assertion_id == assertion_id else None
        )
    )
    try:
        async with asyncio.timeout(wait_seconds):
            while True:
                changed.clear()
                found = await asyncio.to_thread(outbox.outbox, limits.IPC_OUTBOX_ROWS, assertion_id)
                if all(each.closed or each.state != known for each in found):
                    break
                await changed.wait()
    except TimeoutError:
        pass  # what is known now is the answer
    finally:
        unsubscribe()
    found = await asyncio.to_thread(outbox.outbox, limits.IPC_OUTBOX_ROWS, assertion_id)
    return {"sends": [asdict(each) for each in found]}
