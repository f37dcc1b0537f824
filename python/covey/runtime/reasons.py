"""Why memory took a block, or did not: the kept decision with everything it rests on, as plain JSON values.

Rules: reads only what it is handed. What is not kept any more is said to be so, never made up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from covey import limits
from covey.errors import IpcError, RefusedArgumentError
from covey.model import Decided
from covey.ports import Carried, Judgements, Memory
from covey.runtime.answers import attested_of, block_as_dict

Result = dict[str, Any]

_HEX = frozenset("0123456789abcdef")


class DecidedMemory(Memory, Carried, Judgements, Protocol):
    """Blocks, and what was decided about them."""


def why(memory: DecidedMemory, word: str) -> Result:
    """Return a block, the decisions about it, newest first, and what the nearest blocks say.

    Args:
        memory: Whose decisions.
        word: The block's content key, or how it begins: at least 6 digits of it.

    Returns:
        `{"key", "block": block or None, "decisions": [...], "near": {key: {"author", "said"}},
        "attested"}`; a decision has `outcome`, `judgement`, `thresholds` and `basis`, or `reason` and
        `detail` where it was refused.

    Raises:
        IpcError: Nothing is known of it here (`unknown_block`), or several begin so (`ambiguous`).
    """
    key = _the_key(memory, word)
    block = memory.block(key)
    decided = memory.decisions(key, limits.IPC_WHY_DECISIONS)
    if block is None and not decided:
        raise _unknown(word)
    return {
        "key": key,
        "block": None if block is None else block_as_dict(block),
        "decisions": [asdict(each) for each in decided],
        "near": _near(memory, decided),
        "attested": None if block is None else attested_of(memory, [block]).get(block.key),
    }


def _the_key(memory: DecidedMemory, word: str) -> str:
    digits = word.removeprefix("cmb-")
    if len(digits) == 64 and _HEX.issuperset(digits):
        return "cmb-" + digits
    if not 6 <= len(digits) < 64 or not _HEX.issuperset(digits):
        raise RefusedArgumentError(
            f"not a block's key: {word[:80]}",
            hint="a key is cmb- and 64 digits; its first 6 digits are enough",
        )
    found = memory.keys_from(digits)
    if not found:
        raise _unknown(word)
    if len(found) > 1:
        raise IpcError(
            f"{len(found)} blocks begin with {word}", code="ambiguous", hint="\n".join(["name one:", *found])
        )
    return found[0]


def _unknown(word: str) -> IpcError:
    return IpcError(
        f"nothing is known of {word[:80]} here",
        code="unknown_block",
        hint="it never came, or its decision is older than what is kept",
    )


def _near(memory: DecidedMemory, decided: Sequence[Decided]) -> Result:
    """Return what the blocks say that the decisions name; those that are gone are left out."""
    named = {
        key
        for each in decided
        if each.basis is not None
        for key in (*each.basis.nearest.values(), each.basis.lineage)
        if key is not None
    }
    found = ((key, memory.block(key)) for key in sorted(named))
    return {
        key: {"author": block.author, "said": block_as_dict(block)["said"]}
        for key, block in found
        if block is not None
    }
