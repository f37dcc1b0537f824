"""The submitter's half of tasks, sans-IO: a queue, leases with fences, and one accepted result for each task.

Rules: whoever submitted a task decides alone about it. A lease has a number, the fence, that only grows; a
result counts under the newest one and from its holder, whatever clocks say, so nobody who was given up can
still deliver. Everything that others hear is an effect behind the `Keep` that survives `kill -9`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from covey import limits
from covey.fleet.work.choice import STRATEGIES, Candidate, Random, Strategy, least_loaded, strategy
from covey.fleet.work.entry import Entry, Lease, counted, entry_of, row_of
from covey.fleet.work.task import (
    Award,
    Patience,
    Revoked,
    Said,
    State,
    Task,
    TaskError,
    WorkError,
    line_of,
)
from covey.proto.effects import Now
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Keep:
    """Make a task's row durable before anything that follows is done."""

    task_id: str
    row: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete a task's row: it is over and too old."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Tell a worker that it has a lease."""

    award: Award
    to: Candidate


@dataclass(frozen=True, slots=True)
class Revoke:
    """Tell whoever works under a void fence to stop."""

    node_id: str
    address: str
    revoked: Revoked


@dataclass(frozen=True, slots=True)
class Changed:
    """A task stands elsewhere than before: tell whoever waits for it or watches it."""

    task_id: str
    state: State


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log and the counter of its event."""

    level: Literal["info", "warn"]
    event: str
    task_id: str
    facts: Mapping[str, Any]


Effect = Keep | Forget | Grant | Revoke | Changed | Note
Verdict = Literal["accepted", "retried", "fenced", "duplicate", "unknown"]


class Owner:
    """One submitter's tasks.

    Args:
        random: Jitter, and what strategies leave to chance.
        lease_seconds: How long a worker may be silent.
    """

    def __init__(self, random: Random, lease_seconds: float = limits.TASK_LEASE_SECONDS) -> None:
        self._random = random
        self._lease_seconds = lease_seconds
        self.strategies: dict[str, Strategy] = {}
        self.entries: dict[str, Entry] = {}
        self.counts: Counter[str] = Counter()
        self._waiting: dict[str, OrderedDict[str, None]] = {}
        self._leased: OrderedDict[str, None] = OrderedDict()
        self._over: OrderedDict[str, None] = OrderedDict()
        self._ours: Counter[str] = Counter()
        self._words: dict[str, tuple[int, float]] = {}
        """By address: how many it said it runs, and until when that is newer than gossip."""
        self._turn = 0
        self._bytes = 0
        self._ticked = 0.0

    # --- what its program asks ------------------------------------------------------------------

    def submit(
        self, task: Task, now: Now, *, choose: str = "least-loaded", patience: Patience = "queue"
    ) -> tuple[Entry, list[Effect]]:
        """Take a task, or find the one that its key names already; `look` hands it out.

        Raises:
            WorkError: Too many are open, or the key names other work.
            UsageError: There is no such strategy.
        """
        strategy(choose, self.strategies)
        found = self.entries.get(task.id)
        if found is not None:
            if not found.task.same_work(task):
                raise WorkError(
                    f"key {task.key!r} names another task already",
                    code="key_conflict",
                    hint="the same key is the same task: take another key for other work",
                )
            return found, []
        if len(self.entries) - len(self._over) >= limits.TASKS_OPEN or self._bytes >= limits.TASKS_BYTES:
            self.counts["refused-queue-full"] += 1
            raise WorkError(
                f"{len(self.entries) - len(self._over)} tasks are open, which is the most",
                code="queue_full",
                hint="wait for some to end, or cancel some: covey task list",
            )
        if not self.busy:
            self._ticked = now.monotonic
        deadline = now.monotonic + (task.deadline_ms - now.wall_ms) / 1000
        entry = Entry(task, choose, patience, now.wall_ms, deadline)
        entry.tell(now, "submitted")
        self.entries[task.id] = entry
        self._wait(entry)
        self.counts["submitted"] += 1
        return entry, [self._keep(entry), self._note("info", "task-submitted", entry)]

    def cancel(self, task_id: str, why: str, now: Now) -> list[Effect]:
        """End a task without a result; its worker is told to stop. Over already: nothing happens."""
        entry = self.entries.get(task_id)
        if entry is None or not entry.open:
            return []
        lease, why = entry.lease, line_of(why)
        effects = self._end(entry, "cancelled", why, now)
        return effects if lease is None else [*effects, self._revoke(entry, lease, why)]

    def drop(self, task_id: str) -> None:
        """Take back a submission that could not be made durable: it was never told to anybody."""
        entry = self.entries.pop(task_id, None)
        if entry is not None:
            self._let_go(entry)
            self._unwait(entry)
            self._bytes -= entry.size

    def restore(self, rows: Iterable[bytes], now: Now) -> int:
        """Go on with what survived; return how many rows are none."""
        bad, self._ticked = 0, now.monotonic
        for row in rows:
            try:
                entry = entry_of(row, now, self._lease_seconds)
            except TaskError:
                bad += 1
                continue
            self.entries[entry.task.id] = entry
            self._bytes += entry.size
            if entry.lease is not None:
                self._leased[entry.task.id] = None
                self._ours[entry.lease.address] += 1
            elif entry.open:
                self._wait(entry)
            else:
                self._over[entry.task.id] = None
        return bad

    # --- what time and the room bring -----------------------------------------------------------

    def look(self, candidates: Sequence[Candidate], now: Now) -> list[Effect]:
        """Give up what is over its time, then hand out what can be handed out."""
        effects = self.tick(now)
        free = {
            each.address: replace(each, running=self._load(each, now))
            for each in sorted(candidates, key=lambda each: each.address)
        }
        for capability in list(self._waiting):
            able = [each for each in free.values() if capability in each.capabilities]
            effects += self._look_for(able, free, list(self._waiting[capability]), now)
        return effects

    def tick(self, now: Now) -> list[Effect]:
        """Give up silent and hung workers, and tasks that nobody wants any more.

        Who was stopped itself heard nobody: after a long pause of ours every lease has its time anew.
        """
        effects: list[Effect] = []
        paused, self._ticked = now.monotonic - self._ticked > self._lease_seconds / 2, now.monotonic
        for task_id in list(self._leased):
            entry = self.entries[task_id]
            lease = entry.lease
            if lease is None:
                continue
            if paused:
                lease.until = now.monotonic + self._lease_seconds
            if now.monotonic >= entry.deadline:
                effects += [*self._expire(entry, now), self._revoke(entry, lease, "its deadline passed")]
            elif now.monotonic >= lease.until:
                why = f"nothing heard for {self._lease_seconds:g} s"
                effects += [*self._bad(entry, "lost", why, now), self._revoke(entry, lease, why)]
            elif now.monotonic >= lease.end:
                why = f"not over within {entry.task.try_seconds:g} s"
                effects += [*self._bad(entry, "lost", why, now), self._revoke(entry, lease, why)]
        for waiting in list(self._waiting.values()):
            for task_id in [each for each in waiting if now.monotonic >= self.entries[each].deadline]:
                effects += self._expire(self.entries[task_id], now)
        return effects

    def gone(self, node_id: str, now: Now) -> list[Effect]:
        """A peer has left or failed: what it had goes elsewhere."""
        effects: list[Effect] = []
        for task_id in list(self._leased):
            entry = self.entries[task_id]
            if entry.lease is not None and entry.lease.node_id == node_id:
                effects += self._bad(entry, "lost", "its peer is gone", now)
        return effects

    def undelivered(self, task_id: str, fence: int, why: str, now: Now) -> list[Effect]:
        """A lease that nobody has spoken under did not reach its worker: void, and no try."""
        entry = self.entries.get(task_id)
        if entry is None or entry.lease is None or entry.lease.fence != fence or entry.lease.heard:
            return []
        return self._given_back(entry, f"not delivered: {why}", now)

    @property
    def busy(self) -> bool:
        """Tell whether anything is open, so that time matters."""
        return bool(self._leased or self._waiting)

    @property
    def held_nodes(self) -> set[str]:
        """Return the peers that have leases now."""
        return {lease.node_id for each in self._leased if (lease := self.entries[each].lease) is not None}

    def status(self) -> dict[str, int]:
        """Return how many tasks stand where, and what was counted."""
        return {**counted(self.entries), **self.counts}

    # --- what workers say -----------------------------------------------------------------------

    def heard(self, said: Said, node_id: str, proof: str, now: Now) -> tuple[Verdict, list[Effect]]:
        """Take a worker's word, from the peer that proved to have sent it.

        Returns:
            What became of it: `accepted` (the result counts, or the word was news of the holder's), `retried`
            (a try ended badly and there is another), `duplicate` (of the accepted one), `fenced` (under a
            void fence: it counts for nothing), `unknown` (no such task); and what to do.
        """
        if said.agent.rpartition("@")[2] == node_id:  # a peer speaks for its own agents alone
            self._words[said.agent] = (said.running, now.monotonic + limits.TASK_WORD_SECONDS)
            if len(self._words) > limits.MEMBERS:
                self._words.clear()
        entry = self.entries.get(said.task_id)
        if entry is None:
            self.counts[f"unknown-{said.what}"] += 1
            revoked = Revoked(said.task_id, said.fence, "no such task here")
            return "unknown", [Revoke(node_id, said.agent, revoked)]
        lease = entry.lease
        if lease is None or (lease.fence, lease.address, lease.node_id) != (said.fence, said.agent, node_id):
            return self._stale(entry, said, node_id, now)
        if said.what == "alive":
            lease.until, lease.heard = now.monotonic + self._lease_seconds, True
            if said.share is not None or said.detail:
                entry.share, entry.detail = said.share, said.detail
                return "accepted", [Changed(entry.task.id, entry.state)]
            return "accepted", []
        if said.what == "refused":
            return "retried", self._given_back(entry, said.detail, now)
        if said.what == "failed":
            effects = self._bad(entry, "failed", said.detail, now, final=said.final)
            return ("retried" if entry.open else "accepted"), effects
        entry.value, entry.by = said.value, said.by or said.agent
        entry.proof, entry.signer = proof, node_id
        return "accepted", self._end(entry, "done", said.detail, now)

    # --- below ----------------------------------------------------------------------------------

    def _look_for(
        self, able: list[Candidate], everybody: dict[str, Candidate], task_ids: Sequence[str], now: Now
    ) -> list[Effect]:
        """Hand out the tasks of one capability, in the order they came."""
        effects: list[Effect] = []
        room = any(each.running < each.capacity for each in able)
        for task_id in task_ids:
            entry = self.entries[task_id]
            if entry.after > now.monotonic or not (room or entry.patience != "queue" or not able):
                continue
            chosen = self._choose(entry, able, list(everybody.values()), now)
            if chosen is None:
                effects += self._nobody(entry, able, now)
                continue
            everybody[chosen.address] = replace(chosen, running=chosen.running + 1)
            effects += self._grant(entry, chosen, now)
            able = [everybody[each.address] for each in able]
            room = any(each.running < each.capacity for each in able)
        return effects

    def _choose(
        self, entry: Entry, able: Sequence[Candidate], everybody: Sequence[Candidate], now: Now
    ) -> Candidate | None:
        visited = entry.task.visited
        willing = [
            each for each in able if each.address not in visited and not self._refused(entry, each, now)
        ]
        free = [each for each in willing if each.running < each.capacity]
        fresh = [each for each in free if each.address not in entry.failed_at] or free
        if fresh:
            return self._chosen(entry, fresh)
        if willing or not entry.task.hops or entry.forwarded >= limits.TASK_FORWARDS:
            return None
        knows = [
            each
            for each in everybody
            if each.forwards and each.address not in visited and not self._refused(entry, each, now)
        ]
        if not knows:
            return None
        entry.forwarded += 1
        return least_loaded(knows, self._random, 0)

    def _chosen(self, entry: Entry, fresh: Sequence[Candidate]) -> Candidate:
        """Let the task's strategy choose; one of a program may fail, or be gone with an earlier process."""
        self._turn += 1
        chooser = self.strategies.get(entry.choose) or STRATEGIES.get(entry.choose, least_loaded)
        try:
            chosen = chooser(fresh, self._random, self._turn - 1)
        except Exception:  # contained: counted, and the task goes to the least loaded
            self.counts["strategy-failed"] += 1
            return least_loaded(fresh, self._random, 0)
        return chosen if chosen in fresh else least_loaded(fresh, self._random, 0)

    def _nobody(self, entry: Entry, able: Sequence[Candidate], now: Now) -> list[Effect]:
        """End a task that does not wait, where nobody can do it."""
        asked = [each for each in able if each.address not in entry.task.visited]
        willing = [each for each in asked if not self._refused(entry, each, now)]
        if entry.patience == "queue" or (entry.patience == "capable" and willing):
            return []
        why = "all who can are busy" if willing else "all who can refused" if asked else "nobody can do it"
        return self._end(entry, "failed", f"no capable agent found: {why}", now, "no_capable_agent")

    def _refused(self, entry: Entry, each: Candidate, now: Now) -> bool:
        return entry.refusals.get(each.address, 0.0) > now.monotonic

    def _load(self, each: Candidate, now: Now) -> int:
        """Return how many tasks an agent has: as it said itself lately, else by gossip; ours at least."""
        said = self._words.get(each.address)
        running = said[0] if said is not None and now.monotonic < said[1] else each.running
        return max(running, self._ours[each.address])

    def _grant(self, entry: Entry, to: Candidate, now: Now) -> list[Effect]:
        self._unwait(entry)
        entry.state, entry.share = "leased", None
        entry.fence += 1
        end = min(now.monotonic + entry.task.try_seconds, entry.deadline)
        until = now.monotonic + self._lease_seconds
        entry.lease = Lease(to.address, to.node_id, entry.fence, until, end)
        entry.tell(now, "granted", to.address, "to be forwarded" if to.forwards else "")
        self._leased[entry.task.id] = None
        self._ours[to.address] += 1
        self.counts["granted"] += 1
        left = max(0.001, entry.deadline - now.monotonic)
        award = Award(entry.task, entry.fence, to.address, self._lease_seconds, left)
        note = self._note("info", "task-granted", entry, to=to.address)
        return [self._keep(entry), Grant(award, to), note, Changed(entry.task.id, entry.state)]

    def _stale(self, entry: Entry, said: Said, node_id: str, now: Now) -> tuple[Verdict, list[Effect]]:
        """Answer who speaks under a void fence; what it says counts for nothing."""
        if said.what == "done" and (entry.state, entry.by, entry.fence) == (
            "done",
            said.by or said.agent,
            said.fence,
        ):
            self.counts["duplicate-results"] += 1
            return "duplicate", []
        why = line_of(entry.why_void(said.fence))
        self.counts[f"fenced-{said.what}"] += 1
        effects: list[Effect] = [Revoke(node_id, said.agent, Revoked(entry.task.id, said.fence, why))]
        if said.what in ("done", "failed"):
            entry.tell(now, "fenced", said.agent, why, said.fence)
            note = self._note("warn", "task-fenced", entry, by=said.agent, under=said.fence, reason=why)
            effects = [self._keep(entry), *effects, note]
        return "fenced", effects

    def _given_back(self, entry: Entry, why: str, now: Now) -> list[Effect]:
        """A worker did not take it: another may, this one not for a while."""
        address = self._let_go(entry)
        entry.tell(now, "refused", address, why)
        entry.refusals = {who: until for who, until in entry.refusals.items() if until > now.monotonic}
        entry.refusals[address] = now.monotonic + limits.TASK_REFUSAL_SECONDS * (0.5 + self._random())
        self._wait(entry)
        self.counts["refused-by-workers"] += 1
        note = self._note("info", "task-refused", entry, by=address, reason=why)
        return [self._keep(entry), note, Changed(entry.task.id, entry.state)]

    def _bad(
        self, entry: Entry, what: Literal["lost", "failed"], why: str, now: Now, *, final: bool = False
    ) -> list[Effect]:
        """A try ended badly: another after a pause, or none is left."""
        address = self._let_go(entry)
        entry.tries += 1
        entry.failed_at.add(address)
        entry.tell(now, what, address, why)
        self.counts[f"tries-{what}"] += 1
        note = self._note("warn", f"task-{what}", entry, by=address, reason=why, tries=entry.tries)
        if final or entry.tries >= entry.task.tries:
            return [note, *self._end(entry, "failed", why, now)]
        pause = limits.TASK_BACKOFF_SECONDS * 2.0 ** min(entry.tries - 1, 16)
        entry.after = now.monotonic + min(pause, limits.TASK_BACKOFF_SECONDS_MOST) * (0.5 + self._random())
        self._wait(entry)
        return [self._keep(entry), note, Changed(entry.task.id, entry.state)]

    def _expire(self, entry: Entry, now: Now) -> list[Effect]:
        why = "no capable agent found in time" if not entry.fence else "its deadline passed"
        return self._end(entry, "expired", why, now)

    def _end(self, entry: Entry, state: State, why: str, now: Now, code: str = "") -> list[Effect]:
        self._let_go(entry)
        self._unwait(entry)
        entry.state, entry.detail, entry.ended_ms = state, why[: limits.TASK_DETAIL_CHARS], now.wall_ms
        entry.tell(now, code or state, entry.by, why)
        entry.refusals.clear()
        self._over[entry.task.id] = None
        self.counts[state] += 1
        note = self._note("info", "task-ended", entry, state=state, by=entry.by, reason=why)
        return [self._keep(entry), Changed(entry.task.id, state), note, *self._trim()]

    def _trim(self) -> list[Effect]:
        effects: list[Effect] = []
        while self._over and (len(self._over) > limits.TASKS_KEPT or self._bytes > limits.TASKS_BYTES):
            task_id, _ = self._over.popitem(last=False)
            self._bytes -= self.entries.pop(task_id).size
            self.counts["forgotten"] += 1
            effects.append(Forget(task_id))
        return effects

    def _let_go(self, entry: Entry) -> str:
        """End a lease, and return whose it was; "" where nobody has it."""
        lease, entry.lease = entry.lease, None
        if lease is None:
            return ""
        self._leased.pop(entry.task.id, None)
        self._ours[lease.address] -= 1
        if self._ours[lease.address] <= 0:
            del self._ours[lease.address]
        return lease.address

    def _wait(self, entry: Entry) -> None:
        entry.state = "waiting"
        self._waiting.setdefault(entry.task.capability, OrderedDict())[entry.task.id] = None

    def _unwait(self, entry: Entry) -> None:
        group = self._waiting.get(entry.task.capability)
        if group is not None:
            group.pop(entry.task.id, None)
            if not group:
                del self._waiting[entry.task.capability]

    def _revoke(self, entry: Entry, lease: Lease, why: str) -> Revoke:
        return Revoke(lease.node_id, lease.address, Revoked(entry.task.id, lease.fence, why))

    def _keep(self, entry: Entry) -> Keep:
        row = row_of(entry)
        self._bytes += len(row) - entry.size
        entry.size = len(row)
        return Keep(entry.task.id, row)

    def _note(self, level: Literal["info", "warn"], event: str, entry: Entry, **facts: Any) -> Note:
        about = {"capability": entry.task.capability, "fence": entry.fence, **facts}
        return Note(level, event, entry.task.id, about)
