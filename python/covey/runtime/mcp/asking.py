"""Questions to the mesh and waiting for answers: by lineage, to a deadline (MMP 2.0 §14.6).

Rules: nobody is assigned a question; whoever answers does so by a block that names it as an ancestor. Only
blocks that admission let in are shown, and each with its key, to be cited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from covey import limits
from covey.runtime.mcp import bounds
from covey.runtime.mcp.port import Mesh

INTENT: Final = "seeking collective input: answer with what you know, naming this block as parent"
"""What marks a block as a question to everybody."""


def question_block(question: str, context: str) -> dict[str, str]:
    """Return the categories of a question."""
    return {"focus": question, "intent": INTENT, **({"motivation": context} if context else {})}


async def answers_to(
    mesh: Mesh, key: str, own: str, wait_seconds: float, enough: int
) -> tuple[list[Mapping[str, Any]], bool]:
    """Wait until enough answers are held, or the time is up.

    Args:
        mesh: The peer.
        key: The block that is answered.
        own: This peer's nodeId: its own blocks of the thread are no answers.
        wait_seconds: The longest wait.
        enough: How many answers end it.

    Returns:
        The answers, oldest first, and whether there were enough in time.
    """
    came = asyncio.Event()
    unwatch = mesh.watch(lambda _: came.set())
    found: Sequence[Mapping[str, Any]] = ()
    try:
        async with asyncio.timeout(wait_seconds):
            while True:
                came.clear()
                held = await mesh.request("replies", {"key": key, "limit": limits.IPC_RECALL_BLOCKS})
                found = [block for block in held["blocks"] if block["node_id"] != own]
                if len(found) >= enough:
                    break
                await came.wait()
    except TimeoutError:
        pass  # what came until now is the answer
    finally:
        unwatch()
    return list(found[: bounds.ANSWERS]), len(found) >= enough


def silent(peers: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the connected peers that said nothing."""
    heard = {answer["node_id"] for answer in answers}
    return [str(peer["name"]) for peer in peers if peer["node_id"] not in heard]
