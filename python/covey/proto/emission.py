"""From a proposal to a durable own block, with a typed end: Minted, Duplicate or EmissionRefused.

Nothing is sent before it is stored, and nothing is stored before it is signed. A signature that cannot
be made stops the emission.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from covey import _core, limits
from covey.model import CAT7, NEUTRAL, Duplicate, EmissionRefused, Proposal
from covey.proto.effects import Emit, Reply, StoreOwn
from covey.proto.turn import Turn
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.options import NodeOptions


_KNOWN: Final = frozenset(CAT7)
_NOTHING: Final = dict.fromkeys(CAT7, NEUTRAL)


@dataclass(slots=True)
class Pending:
    """A signed record on its way to the store, and who waits for the answer."""

    reply: int
    record: _core.Record
    key: str
    deadline_ms: int = 0
    """When a directed record expires, wall milliseconds."""
    number: int = 0
    """Its place among all that was addressed to its recipient."""


def draft_of(
    proposal: Proposal, identity: _core.Identity, room: str, now_ms: int
) -> _core.Draft | EmissionRefused:
    """Draft the record of a proposal; categories it leaves out say "neutral" (MMP 2.0 §14.3.2).

    Args:
        proposal: At least one category must say something.
        identity: Its author.
        room: The room the record names and is sealed for.
        now_ms: Signed creation time.

    Returns:
        The draft, or why there is none. Nothing was signed, stored or sent in either case.
    """
    said = proposal.categories
    if not _KNOWN.issuperset(said):
        unknown = ", ".join(sorted(set(said) - _KNOWN))
        return EmissionRefused("unknown_category", f"no such category: {unknown}")
    # most begin with a letter of ASCII: to tell them from spaces needs no copy
    texts = _NOTHING | {name: text for name, text in said.items() if "!" <= text[:1] <= "~" or text.strip()}
    if texts == _NOTHING:
        return EmissionRefused("empty", "no category says anything")
    within = proposal.within_seconds
    if within is not None and (proposal.to is None or not within > 0):
        return EmissionRefused(
            "deadline", "only a block for one peer has a deadline, and it is more than 0 s"
        )
    if proposal.to == identity.node_id:
        return EmissionRefused("to_self", "a block cannot be directed to its own author")
    carried = proposal.application
    try:
        return _core.Draft(
            texts,
            node_id=identity.node_id,
            author=identity.name,
            created_ms=now_ms,
            room=room,
            to=proposal.to,
            parents=tuple(dict.fromkeys(proposal.parents)) if proposal.parents else (),
            application=None
            if carried is None
            else _core.Application(carried.media_type, carried.schema, carried.data),
        )
    except _core.CoreError as error:
        return EmissionRefused(error.reason, error.detail)


def mint(
    proposals: Sequence[Proposal], identity: _core.Identity, room: str, now_ms: int
) -> list[_core.Record | EmissionRefused]:
    """Make a signed record of each proposal, or say why there is none; all are signed in one native call."""
    drafts = [draft_of(proposal, identity, room, now_ms) for proposal in proposals]
    signed = iter(_core.sign_many([each for each in drafts if isinstance(each, _core.Draft)], identity))
    made: list[_core.Record | EmissionRefused] = []
    for draft in drafts:
        one = draft if isinstance(draft, EmissionRefused) else next(signed)
        made.append(EmissionRefused(one.reason, one.detail) if isinstance(one, _core.CoreError) else one)
    return made


class Emission:
    """Own records between signature and store."""

    def __init__(self, identity: _core.Identity, options: NodeOptions) -> None:
        self._identity = identity
        self._room = options.room
        self._pending: dict[int, Pending] = {}
        self._keys: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, wanted: Sequence[Emit], token: Callable[[], int], turn: Turn) -> None:
        """Mint what is wanted and ask for its storage, each under a token of its own, or answer at once."""
        now_ms = turn.now.wall_ms
        made = mint([each.proposal for each in wanted], self._identity, self._room, now_ms)
        for emit, record in zip(wanted, made, strict=True):
            if isinstance(record, EmissionRefused):
                turn.count(f"emissions.refused.{record.reason}")
                turn.add(Reply(emit.token, record))
            else:
                self._keep(emit, record, token(), turn)

    def _keep(self, emit: Emit, made: _core.Record, token: int, turn: Turn) -> None:
        key, to = made.key, made.to
        if to is None and key in self._keys:
            turn.count("emissions.duplicate")
            turn.add(Reply(emit.token, Duplicate(key)))
            return
        self._keys[key] = self._keys.get(key, 0) + 1
        now_ms = turn.now.wall_ms
        if to is None:
            self._pending[token] = Pending(emit.token, made, key)
            turn.add(StoreOwn(token, made, (), now_ms))
            return
        seconds = min(emit.proposal.within_seconds or limits.OUTBOX_SECONDS, limits.OUTBOX_SECONDS)
        deadline_ms = now_ms + int(seconds * 1000)
        self._pending[token] = Pending(emit.token, made, key, deadline_ms)
        turn.add(StoreOwn(token, made, (to,), now_ms, deadline_ms))

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
        pending.number = number
        return pending

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
