"""This peer's own chain: what it decided about open blocks, signed in order, committed to by checkpoints.

Rules: one chain for a node, for ever, in whatever room. Its head is durable before anything of it is sent; a
chain whose state is lost ends, visibly: a second one would prove against its own signer (§5.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from covey import _core, limits
from covey.proto.attest.words import Row
from covey.proto.link import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from covey.proto.turn import Turn

METHOD: Final = "heuristic"
"""How this build judges: the reference baseline is no learned model."""

_JUDGED: Final = ("admitted", "redundant", "rejected")


class OwnChain:
    """What this peer attests.

    Args:
        identity: Signs.
        room: The room that is attested in.
        role: Gives the role this peer claims; a hint for who reads it.
    """

    def __init__(self, identity: _core.Identity, room: str, role: Callable[[], str]) -> None:
        self._identity = identity
        self._room = room
        self._role = role
        self._chain: _core.AttestChain | None = None
        self._lane = Lane(limits.ATTEST_OWN_PER_SECOND, limits.ATTEST_OWN_BURST)
        self.ended = ""
        """Why nothing more is signed; empty while the chain goes on."""

    @property
    def pending(self) -> int:
        """Return how many attestations wait for a checkpoint."""
        return 0 if self._chain is None else self._chain.pending

    def state(self) -> bytes | None:
        """Return the head as it must be stored."""
        return None if self._chain is None else self._chain.to_json()

    def restore(self, chain: bytes | None, *, begun: bool, turn: Turn) -> list[Row]:
        """Go on where the last run ended, or begin; return what the last room is still owed."""
        rows: list[Row] = []
        try:
            if chain is not None:
                self._chain = _core.AttestChain.from_json(chain)
            elif begun:
                self.ended = "its state is lost"
            else:
                self._chain = _core.AttestChain(self._identity.node_id, self._room)
            if self._chain is not None and self._chain.room != self._room:
                rows = self.checkpoint(turn, quiet=True)
                self._chain.enter(self._room)
        except _core.CoreError as error:
            self._chain, self.ended = None, error.detail
        if self.ended:
            turn.count("attest.ended")
            turn.log("error", "attest-chain-ended", reason=self.ended)
        return rows

    def judged(self, outcomes: _core.OutcomeBatch, turn: Turn) -> tuple[list[Row], list[str]]:
        """Sign what was decided about open records, as fast as the own pace allows.

        Returns:
            The frames, and the assertion ids of directed records: nothing about those is ever passed on.
        """
        rows: list[Row] = []
        directed: list[str] = []
        if self._chain is None:
            return rows, directed
        self._lane.refill(turn.now.monotonic)
        for index in range(len(outcomes)):
            outcome = outcomes[index]
            if outcome.directed:
                directed.append(outcome.assertion_id)
            elif outcome.kind not in _JUDGED or outcome.hearsay is not None:
                continue
            elif self._lane.wait_seconds() > 0.0:
                turn.count("attest.skipped")
            elif (said := outcome.evaluation) is not None:
                self._lane.tokens -= 1
                rows += self._attest(self._chain, outcome, said, turn)
        return rows, directed

    def checkpoint(self, turn: Turn, *, quiet: bool = False) -> list[Row]:
        """Commit to what was attested since the last checkpoint; nothing where there is nothing."""
        signed = (
            None if self._chain is None else self._chain.checkpoint(self._identity, at_ms=turn.now.wall_ms)
        )
        if signed is None:
            return []
        turn.count("attest.checkpoints")
        return [Row("checkpoint", self._identity.node_id, signed.to_json(), quiet=quiet)]

    def _attest(
        self, chain: _core.AttestChain, outcome: _core.Outcome, said: _core.Evaluation, turn: Turn
    ) -> list[Row]:
        signed = chain.attest(
            self._identity,
            key=outcome.key,
            assertion_id=outcome.assertion_id,
            decision=said.decision,
            verdicts=[category.verdict for category in said.categories],
            method=METHOD,
            role=self._role(),
            at_ms=turn.now.wall_ms,
        )
        turn.count("attest.signed")
        rows = [Row("attestation", self._identity.node_id, signed.to_json())]
        return rows + (self.checkpoint(turn) if chain.pending >= limits.ATTEST_CHECKPOINT_EVERY else [])
