"""From a proposal to a durable own block, with a typed end: Minted, Duplicate or EmissionRefused.

Nothing is sent before it is stored, and nothing is stored before it is signed. A signature that cannot
be made stops the emission.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.model import CAT7, NEUTRAL, Duplicate, EmissionRefused, Proposal
from covey.proto.effects import Reply, StoreOwn
from covey.proto.turn import Turn
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.options import NodeOptions


@dataclass(frozen=True, slots=True)
class Pending:
    """A signed record on its way to the store, and who waits for the answer."""

    reply: int
    record: _core.Record
    key: str
    deadline_ms: int = 0
    """When a directed record expires, wall milliseconds."""
    number: int = 0
    """Its place among all that was addressed to its recipient."""


def mint(
    proposal: Proposal, identity: _core.Identity, room: str, now_ms: int
) -> _core.Record | EmissionRefused:
    """Make a signed record of a proposal; categories it leaves out say "neutral" (MMP 2.0 §14.3.2).

    Args:
        proposal: At least one category must say something.
        room: The room the record names and is sealed for.
        now_ms: Signed creation time.

    Returns:
        The record, or why there is none. Nothing was stored or sent in either case.
    """
    unknown = sorted(set(proposal.categories) - set(CAT7))
    if unknown:
        return EmissionRefused("unknown_category", f"no such category: {', '.join(unknown)}")
    texts = {name: proposal.categories.get(name, "") for name in CAT7}
    texts = {name: text if text.strip() else NEUTRAL for name, text in texts.items()}
    if all(text == NEUTRAL for text in texts.values()):
        return EmissionRefused("empty", "no category says anything")
    if proposal.within_seconds is not None and (proposal.to is None or not proposal.within_seconds > 0):
        return EmissionRefused(
            "deadline", "only a block for one peer has a deadline, and it is more than 0 s"
        )
    if proposal.to == identity.node_id:
        return EmissionRefused("to_self", "a block cannot be directed to its own author")
    carried = proposal.application
    try:
        draft = _core.Draft(
            texts,
            node_id=identity.node_id,
            author=identity.name,
            created_ms=now_ms,
            room=room,
            to=proposal.to,
            parents=tuple(dict.fromkeys(proposal.parents)),
            application=None
            if carried is None
            else _core.Application(carried.media_type, carried.schema, carried.data),
        )
        return _core.sign(draft, identity)
    except _core.CoreError as error:
        return EmissionRefused(error.reason, error.detail)


class Emission:
    """Own records between signature and store."""

    def __init__(self, identity: _core.Identity, options: NodeOptions) -> None:
        self._identity = identity
        self._room = options.room
        self._pending: dict[int, Pending] = {}
        self._keys: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, reply: int, proposal: Proposal, token: int, turn: Turn) -> None:
        """Mint and ask for storage under `token`, or answer at once."""
        made = mint(proposal, self._identity, self._room, turn.now.wall_ms)
        if isinstance(made, EmissionRefused):
            turn.count(f"emissions.refused.{made.reason}")
            turn.add(Reply(reply, made))
            return
        key = made.key
        if key in self._keys and made.to is None:
            turn.count("emissions.duplicate")
            turn.add(Reply(reply, Duplicate(key)))
            return
        self._keys[key] += 1
        now_ms = turn.now.wall_ms
        seconds = min(proposal.within_seconds or limits.OUTBOX_SECONDS, limits.OUTBOX_SECONDS)
        deadline_ms = now_ms + int(seconds * 1000)
        self._pending[token] = Pending(reply, made, key, deadline_ms)
        recipients = () if made.to is None else (made.to,)
        turn.add(StoreOwn(token, made, recipients, now_ms, deadline_ms if recipients else None))

    def stored(self, token: int, *, fresh: bool, number: int, turn: Turn) -> Pending | None:
        """Take the store's answer; return the record if it is now to be sent.

        A broadcast whose content is already held is a duplicate. A directed one is sent all the same:
        it is known by its assertion, not by its content (MMP 2.0 §8.8.5).
        """
        pending = self._take(token)
        if pending is None:
            return None
        if not fresh and pending.record.to is None:
            turn.count("emissions.duplicate")
            turn.add(Reply(pending.reply, Duplicate(pending.key)))
            return None
        turn.count("emissions.minted")
        return replace(pending, number=number) if number else pending

    def failed(self, token: int, reason: str, turn: Turn) -> bool:
        """Take the store's refusal; tell whether the token was an emission's."""
        pending = self._take(token)
        if pending is None:
            return False
        turn.count("emissions.refused.store")
        turn.add(Reply(pending.reply, EmissionRefused("store", f"not stored, so not sent: {reason}")))
        return True

    def _take(self, token: int) -> Pending | None:
        pending = self._pending.pop(token, None)
        if pending is not None:
            self._keys[pending.key] -= 1
            if not self._keys[pending.key]:
                del self._keys[pending.key]
        return pending
