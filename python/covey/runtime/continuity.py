"""The shell of continuity: its disk, what a takeover brings along, rules for those who keep a replica.

Rules: on the loop's thread. One write to the store is under way at a time. What a term brings is on disk
before the term is told; what an owner wrote too late is set aside before it is overwritten.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey import _core
from covey.errors import CoveyError
from covey.proto.continuity import wants
from covey.proto.continuity.book import label_of
from covey.proto.continuity.engine import Continuity
from covey.proto.state.scopes import read_scope
from covey.state import continuity as moves
from covey.state.syndication import Rule

if TYPE_CHECKING:
    from covey.ports import AgentStore, Clock
    from covey.proto.continuity.line import Line
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell
    from covey.runtime.state import SharedState
    from covey.runtime.syndication import Syndicator

_KEPT = "continuity"


class ContinuityError(CoveyError):
    """A wish about an agent's continuity came to nothing; `code` is the reason."""

    default_code = "continuity"


class Keeper:
    """Continuity of one peer. A `Plugin`.

    Args:
        identity: This peer.
        room: Where it is.
        state: Its shared state.
        syndicator: What its agent, and the agents it holds, let others have.
        store: What it keeps. Called on worker threads.
        clock: Time.
        facts: What this node says of itself when it is offered an agent.
    """

    def __init__(
        self,
        identity: _core.Identity,
        room: str,
        state: SharedState,
        syndicator: Syndicator,
        store: AgentStore,
        clock: Clock,
        *,
        facts: Callable[[], Mapping[str, str | int]],
    ) -> None:
        sync = state.sync
        self.engine = Continuity(
            identity,
            room,
            seen=sync.settled,
            served=lambda scope: scope in sync.replicas.served,
            look=lambda node_id: self.look(node_id),
        )
        self.extension: Extension = self.engine
        self.identity = identity
        self.state = state
        self.syndicator = syndicator
        self.store = store
        self.clock = clock
        self.look: Callable[[str], str | None] = lambda _: None
        """What the failure detector says of a nodeId."""
        self.trouble = ""
        """The last thing that went wrong here, for `status`."""
        self.freezing = ""
        """Why this peer's own agent writes nothing for a moment: its description is being made."""
        self.publish: Callable[[Mapping[str, Any]], None] = lambda _: None
        self._facts = facts
        self._tell: Tell | None = None
        self._tokens = itertools.count(1)
        self._answers: dict[int, asyncio.Future[wants.Answer]] = {}
        self._jobs: asyncio.Queue[wants.Prepare | wants.Changed] = asyncio.Queue()
        self._keep: wants.Keep | None = None
        self._writing: asyncio.Task[None] | None = None
        self._worker: asyncio.Task[None] | None = None
        sync.replicas.fence = self.engine.fenced
        syndicator.guard = self._guard

    def attach(self, look: Callable[[str], str | None], publish: Callable[[Mapping[str, Any]], None]) -> None:
        """Take the failure detector, and what hands events to who listens; called before the node starts."""
        self.look, self.publish = look, publish

    # --- what the node asks -----------------------------------------------------------------------

    async def start(self, tell: Tell) -> None:
        """Read what was kept.

        Raises:
            CoreError: The store cannot be read.
        """
        self._tell = tell
        data = await asyncio.to_thread(self.store.state_get, _KEPT)
        self.report()
        tell(wants.Restored(data))

    def perform(self, what: object) -> None:
        """Do what the engine wants."""
        match what:
            case wants.Keep():
                self._keep = what
                if self._writing is None:
                    self._writing = asyncio.get_running_loop().create_task(self._write())
            case wants.Prepare() | wants.Changed():
                self._jobs.put_nowait(what)
            case wants.Answer():
                future = self._answers.pop(what.token, None)
                if future is not None and not future.done():
                    future.set_result(what)

    async def stop(self) -> None:
        """End: what is being written is written; wishes without an answer are told so."""
        self._tell = None
        if self._worker is not None:
            self._worker.cancel()
        if self._writing is not None:
            await self._writing
        for token, future in self._answers.items():
            if not future.done():
                future.set_result(wants.Answer(token, "stopped", "the peer stops"))
        self._answers.clear()

    def begin(self) -> None:
        """Act on what terms bring, from now on: the policy of what is shared has been read."""
        self._worker = asyncio.get_running_loop().create_task(self._work())

    def report(self) -> None:
        """Tell the engine what this node says of itself."""
        if self._tell is not None:
            self._tell(wants.Report(self._facts()))

    async def asked(self, make: Callable[[int], object]) -> wants.Answer:
        """Say a wish to the engine, and wait for its answer.

        Raises:
            ContinuityError: It came to nothing, and why.
        """
        if self._tell is None:
            raise ContinuityError("continuity: this peer does not run", code="not_running")
        token = next(self._tokens)
        future: asyncio.Future[wants.Answer] = asyncio.get_running_loop().create_future()
        self._answers[token] = future
        self._tell(make(token))
        answer = await future
        if answer.reason:
            raise ContinuityError(answer.detail or answer.reason, code=answer.reason)
        return answer

    # --- the disk ---------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Write the newest of what is to be kept, until there is nothing newer."""
        while self._keep is not None:
            keep, self._keep = self._keep, None
            try:
                await asyncio.to_thread(self.store.state_put, _KEPT, keep.data)
                said: object = wants.Kept(keep.number)
            except _core.CoreError as error:
                said = wants.KeepFailed(error.detail)
            if self._tell is not None:
                self._tell(said)
        self._writing = None

    # --- what terms bring -------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            try:
                await (self._prepare(job) if isinstance(job, wants.Prepare) else self._settle(job))
            except (CoveyError, _core.CoreError, ValueError) as error:
                self.trouble = str(error)
                if isinstance(job, wants.Prepare) and self._tell is not None:
                    self._tell(wants.Ready(job.agent, job.term.digest, self.trouble))

    async def _prepare(self, job: wants.Prepare) -> None:
        """Take over what the holder before had, as far as it came here; then the term may be told."""
        case = self.engine.book.cases[job.agent]
        own = self.identity.author
        if job.source != own:
            classes: dict[str, dict[str, bytes]] = {}
            for label in case.plan.classes:
                held = self.state.sync.held(self.engine.book.scope(case, job.source, own, label))
                classes[label] = moves.entries_of(None if held is None else held.map)
            if job.payload is not None:
                await self._take_payload(job, case.line, classes)
            for label, entries in classes.items():
                await self.syndicator.replace(label_of(job.agent, own, label), entries)
        if self._tell is not None:
            self._tell(wants.Ready(job.agent, job.term.digest))

    async def _take_payload(
        self, job: wants.Prepare, line: Line, classes: Mapping[str, Mapping[str, bytes]]
    ) -> None:
        source = line.plan.member(job.source)
        key = line.plan.owner.key if source is None else source.key
        assert job.payload is not None, "asked by `_prepare` only where there is one"
        config = moves.check_payload(job.payload, key, job.agent, self.identity.author, classes)
        if config is not None:
            data = moves.as_json(config)
            now_ms = self.clock.now_ms()
            await asyncio.to_thread(self.store.kept_put, f"config:{job.agent}", "agent.toml", data, now_ms)

    async def _settle(self, job: wants.Changed) -> None:
        """Follow a line: keepers get a replica, who was dropped does not, what came late is set aside."""
        line, own = job.line, self.identity.author
        late: list[dict[str, object]] = []
        if line.holder.author == own:
            await self._share(line)
        elif own == line.agent and line.last is not None and line.last.source == own:
            late = await self._set_aside(line)
        before = None if job.before is None else job.before.holder.name
        last = line.last
        self.publish(
            {
                "event": "continuity",
                "agent": line.agent,
                "owner": line.plan.owner.name,
                "epoch": line.epoch,
                "holder": line.holder.name,
                "here": line.holder.author == own,
                "before": before,
                "why": "" if last is None else last.why,
                "late": late,
            }
        )
        self.report()

    async def _share(self, line: Line) -> None:
        """Let every other keeper have each class, and nobody who was one under an earlier plan."""
        own, plan = self.identity.author, line.plan
        labels = [label_of(line.agent, own, label) for label in plan.classes]
        keepers = [member.author for member in plan.keepers if member.author != own]
        allowed = [Rule(label, to) for label in labels for to in keepers]
        denied = [
            (label_of(line.agent, own, label), member.author)
            for earlier in line.plans[:-1]
            for member in earlier.keepers
            for label in earlier.classes
            if member.author != own and not (member.author in keepers and label in plan.classes)
        ]
        await self.syndicator.arrange(allowed, denied)

    async def _set_aside(self, line: Line) -> list[dict[str, object]]:
        """Keep what this peer wrote after another went on: it is refused everywhere, and not lost here."""
        term, own = line.last, self.identity.author
        found: list[dict[str, object]] = []
        if term is None:
            return found
        case = self.engine.book.cases[line.agent]
        for label in line.plan.classes:
            held = self.state.sync.held(self.engine.book.scope(case, own, term.holder, label))
            late = moves.late_of(None if held is None else held.map, own, term.heads.get(label, 0))
            for name, value in late.names:
                await asyncio.to_thread(
                    self.store.kept_put, late_class(line.epoch, label), name, value, self.clock.now_ms()
                )
            if late.operations:
                names = [name for name, _ in late.names]
                found.append({"class": label, "operations": late.operations, "names": names})
        return found

    def _guard(self, label: str) -> str:
        own = not label.startswith("as:")
        if own and self.freezing:
            return self.freezing
        return self.engine.refusal(label, self.clock.monotonic())


def late_class(epoch: int, label: str) -> str:
    """Return the class under which late writes are set aside; it is never shared."""
    return f"late:{epoch}:{label}"


def missed(keeper: Keeper, agent: str, line: Line) -> int | None:
    """Return how many operations the holder before had announced that never came here; None where unknown."""
    term = line.last
    if term is None or term.source == keeper.identity.author:
        return None
    case = keeper.engine.book.cases[agent]
    source = line.plan.member(term.source)
    if source is None:
        return None
    count = 0
    for label in line.plan.classes:
        name = keeper.engine.book.scope(case, term.source, keeper.identity.author, label)
        held = keeper.state.sync.held(name) if read_scope(name, "") is not None else None
        told = None if held is None else held.told.get(source.node_id)
        if told is not None:
            count += max(0, told.seen.count(term.source) - term.heads.get(label, 0))
    return count
