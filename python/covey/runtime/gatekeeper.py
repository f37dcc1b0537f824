"""The shell between a proposal and the node: is there anything new in it, and may it name its parents?

Rules: what has no parents passes at once. The rest reads this peer's own store, a bounded number of blocks,
on the loop's thread, as the agent does for its context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from covey import _core
from covey.cognition.ask.quiet import is_answer, is_question
from covey.cognition.ask.values import SYNTHESIS_SCHEMA
from covey.cognition.novelty import UNRESOLVED, NoveltyGate
from covey.cognition.tether import SCHEMA, anchor_of, compared, is_feedback
from covey.limits import LINEAGE_BLOCKS
from covey.memory.lineage import ancestors
from covey.memory.pace import ReportPace, outcome_in
from covey.model import (
    CAT7,
    NEUTRAL,
    Block,
    EmissionRefused,
    EmissionResult,
    Minted,
    Payload,
    Proposal,
)
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Clock, Memory
    from covey.proto.options import NodeOptions

Logger = Callable[[str, str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Cleared:
    """A proposal that may go out: as it goes and as it was asked for, in which threads.

    `severed` is the root it was cut off from, if it was.
    """

    proposal: Proposal
    asked: Proposal
    roots: tuple[str, ...] = ()
    severed: str | None = None


class Gatekeeper:
    """Judges what a peer is about to say of others' blocks.

    Args:
        identity: Who says it, and signs what the tether measured.
        options: Its weights, and the drift above which its own admission rejects: the tether's floor.
        memory: Its store.
        clock: Wall time of attestations.
        log: Called with level, event word and facts.
        spoke: Called when a word about blocks is stored: one's own counts as any other's.
    """

    def __init__(
        self,
        identity: _core.Identity,
        options: NodeOptions,
        memory: Memory,
        *,
        clock: Clock,
        log: Logger,
        spoke: Callable[[], None] = lambda: None,
    ) -> None:
        self._identity = identity
        self._weights = dict(zip(CAT7, options.admission.weights, strict=True))
        self._floor = options.admission.tether_floor
        self._carries = not options.legacy
        self._memory = memory
        self._clock = clock
        self._log = log
        self._spoke = spoke
        self._novelty = NoveltyGate()
        self._reports = ReportPace()

    def judge(self, proposal: Proposal) -> Cleared | EmissionRefused:
        """Say whether a proposal may go out, and as what.

        Raises:
            StoreError: The store cannot be read; nothing was judged.
        """
        if not proposal.parents and is_question(proposal.categories):
            return Cleared(proposal, proposal)  # who asks has observed nothing
        if not proposal.parents:
            self._novelty.judge(proposal, (), ())
            return Cleared(proposal, proposal)
        held = outcome_in(proposal.categories)
        if held is not None:
            often = self._reports.judge(proposal.parents, held=held, now_ms=self._clock.now_ms())
            if often is not None:
                self._log(
                    "info", "report-refused", {"reason": often.reason, "parents": list(proposal.parents)}
                )
                return often
        cleared = self._remix(proposal)
        if held is not None and isinstance(cleared, EmissionRefused):
            self._reports.undone(proposal.parents, held=held)
        return cleared

    def _remix(self, proposal: Proposal) -> Cleared | EmissionRefused:
        lookup = self._memory.block
        parents = [block for key in dict.fromkeys(proposal.parents) if (block := lookup(key)) is not None]
        roots = _roots(lookup, proposal.parents, parents)
        refused = self._novelty.judge(proposal, parents, roots)
        if refused is not None:
            self._log("info", "remix-refused", {"reason": refused.reason, "parents": list(proposal.parents)})
            return refused
        if proposal.to is not None or is_feedback(proposal.categories) or _cites(proposal):
            return Cleared(proposal, proposal, roots)
        return self._tethered(proposal, roots)

    def observed(self) -> None:
        """Count what a batch said, which names no parents, as one observation of this peer."""
        self._novelty.judge(Proposal({}), (), ())

    def ended(self, cleared: Cleared, result: EmissionResult) -> EmissionResult:
        """Take note of what became of a cleared proposal; return it with what it was cut off from."""
        if isinstance(result, Minted):
            if is_feedback(cleared.asked.categories):
                self._spoke()
            return replace(result, severed=cleared.severed) if cleared.severed else result
        if cleared.asked.parents or not is_question(cleared.asked.categories):
            self._novelty.undone(cleared.asked, cleared.roots)
        held = outcome_in(cleared.asked.categories)
        if held is not None and cleared.asked.parents:
            self._reports.undone(cleared.asked.parents, held=held)
        return result

    def _tethered(self, proposal: Proposal, roots: tuple[str, ...]) -> Cleared | EmissionRefused:
        anchor = anchor_of(self._memory.block, proposal.parents)
        if anchor is None:
            return Cleared(proposal, proposal, roots)  # unverified, which is no refusal
        remix, root = compared(proposal.categories, anchor.categories)
        tether = _core.Tether.of_texts(remix, root, weights=self._weights, floor=self._floor)
        if not tether.checked:
            return Cleared(proposal, proposal, roots)
        if tether.tethered:
            attested = replace(proposal, application=self._attested(proposal, tether, anchor))
            return Cleared(attested, proposal, roots)
        facts = {"root": anchor.key, "drift": tether.drift, "kernel": tether.kernel}
        refused = self._novelty.cut_off(proposal)
        if refused is not None:
            self._novelty.undone(proposal, roots)
            self._log("warn", "remix-refused", {**facts, "reason": refused.reason})
            return refused
        self._log("info", "lineage-severed", {**facts, "parents": list(proposal.parents)})
        return Cleared(replace(proposal, parents=()), proposal, roots, severed=anchor.key)

    def _attested(self, proposal: Proposal, tether: _core.Tether, anchor: Block) -> Payload | None:
        """Sign what was measured; a key is its content's address, so it is known before the block is made."""
        if not self._carries or proposal.application is not None:
            return proposal.application
        texts = {name: proposal.categories.get(name, "") for name in CAT7}
        try:
            of = _core.content_key({name: text if text.strip() else NEUTRAL for name, text in texts.items()})
            told = tether.attest(self._identity, of=of, root=anchor.key, at_ms=self._clock.now_ms())
        except _core.CoreError:
            return None  # what cannot be addressed is refused by the mint, with its reason
        return Payload("application/json", SCHEMA, told.to_json())


def _cites(proposal: Proposal) -> bool:
    """Tell whether this is the answer to a question: each sentence is held to what it cites, not to one root.

    Nobody but the desk of questions gives a proposal that schema, and only after the check of its citations.
    """
    carried = proposal.application
    return carried is not None and carried.schema == SYNTHESIS_SCHEMA and is_answer(proposal.categories)


def _roots(
    lookup: Callable[[str], Block | None], keys: tuple[str, ...], held: list[Block]
) -> tuple[str, ...]:
    """Name the threads of a proposal by the roots that are held; what cannot be resolved has one name."""
    walk = ancestors(lookup, held, depth=LINEAGE_BLOCKS)
    blocks = [*held, *(each.block for each in walk.ancestors)]
    ends = {block.key for block in blocks if not block.parents}
    if not walk.complete or len(held) < len(set(keys)):
        ends.add(UNRESOLVED)
    return tuple(sorted(ends))
