"""The ports: what the capability floor needs from the world, as protocols and nothing else.

Rules: typing.Protocol only. An adapter on floor 4 implements a port; floor 6 hands it in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from covey.hindsight import Feedback, Found, Search
from covey.model import (
    Block,
    Decided,
    EmissionResult,
    Equipment,
    LifecycleMove,
    ModelReply,
    ModelRequest,
    OutboxEntry,
    PeerView,
    Place,
    Proposal,
    PurseRefused,
    Ruling,
    ToolOutcome,
    Usage,
)

if TYPE_CHECKING:
    from covey._core import Attention, Intake, OutcomeBatch, OwnBatch, Record, Store
    from covey.proto import mail
    from covey.proto.effects import Advert, Done, Hint
    from covey.proto.inviting import Restored


class Clock(Protocol):
    """Time, in the two forms the product needs."""

    def now_ms(self) -> int:
        """Return wall-clock milliseconds since the epoch (signed times, storage)."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back (timers, budgets)."""


class Entropy(Protocol):
    """Randomness for keys, nonces and jitter."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes from the system's secure source."""


class SharedStore(Protocol):
    """Where replicas of shared state become durable."""

    def shared_load(self) -> Sequence[tuple[str, int, bytes]]:
        """Return all rows (scope, kind, bytes) in the order they were written. Blocks. Raises StoreError."""

    def shared_write(
        self,
        clear: Sequence[str],
        rows: Sequence[tuple[str, int, bytes]],
        done: Callable[[str | None], None],
    ) -> None:
        """Forget the rows of `clear`, append `rows`, in one transaction; then say None, or why not.

        Never blocks; `done` comes on the loop's thread.
        """


class DiaryStore(Protocol):
    """Where sealed diary entries lie. Every call blocks; what was added is durable when the call returns."""

    def diary_add(self, at_ms: int, sealed: bytes) -> int:
        """Append a sealed entry; return its number."""

    def diary_page(
        self, after: int, from_ms: int, to_ms: int, limit: int
    ) -> Sequence[tuple[int, int, bytes]]:
        """Return sealed entries behind a number and of a span of time: (number, when, sealed)."""

    def diary_facts(self) -> tuple[int, int | None, int | None]:
        """Return how many entries there are, and the times of the first and the last."""


class Sealer(Protocol):
    """The key of a diary."""

    def seal(self, text: bytes, at_ms: int) -> bytes:
        """Seal a text, bound to its time."""

    def open(self, sealed: bytes, at_ms: int) -> bytes | None:
        """Open what was sealed at that time; None where it was changed, or belongs to another key."""


class ChannelKeys(Protocol):
    """The cryptography of channels, in the hands of one agent."""

    def fresh(self) -> bytes:
        """Return a new key (32 random bytes)."""

    def wrap(self, text: bytes, public_key: bytes) -> bytes | None:
        """Seal a text to the agent with this public key; None where nothing can be sealed to it."""

    def unwrap(self, box: bytes) -> bytes | None:
        """Open what was sealed to this agent; None where it was not, or was changed."""

    def seal(self, key: bytes, text: bytes, about: bytes) -> bytes:
        """Seal a text under a key, bound to what it is about."""

    def open(self, key: bytes, sealed: bytes, about: bytes) -> bytes | None:
        """Open it; None where the key, the text or what it is about is another."""


class AgentStore(Protocol):
    """What one agent keeps for itself. Calls block, are durable when they return, and raise CoreError."""

    def state_get(self, name: str) -> bytes | None:
        """Return a small value kept by name, or None."""

    def state_put(self, name: str, value: bytes) -> None:
        """Keep a small value by name."""

    def kept(self) -> Sequence[tuple[str, str, bytes, int]]:
        """Return every entry as (class, name, JSON bytes, when)."""

    def kept_put(self, class_name: str, name: str, value: bytes, now_ms: int) -> None:
        """Keep an entry, in place of an earlier one."""

    def kept_delete(self, class_name: str, name: str) -> bool:
        """Forget an entry; say whether there was one."""

    def diary_facts(self) -> tuple[int, int | None, int | None]:
        """Return how many entries the diary has, and the times of the first and the last."""

    def audit_add(self, at_ms: int, entry: bytes, signature: bytes) -> int:
        """Append a signed line to the log of what left; return its number."""

    def audit_page(self, after: int, limit: int) -> Sequence[tuple[int, int, bytes, bytes]]:
        """Return lines of that log behind a number as (number, when, entry, signature)."""

    def audit_last(self) -> tuple[int, int, bytes, bytes] | None:
        """Return the last line of that log, or None."""


class Model(Protocol):
    """A language model, or rules that stand in for one."""

    @property
    def label(self) -> str:
        """Return `adapter/model` for logs and status."""

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return the most that one call is expected to cost, in USD; it is set aside before the call."""

    async def warm(self) -> None:
        """Load whatever is slow to import, off the event loop."""

    async def call(self, request: ModelRequest) -> ModelReply:
        """Answer one request. Raises ModelError, which says whether trying again can help."""

    async def close(self) -> None:
        """Release connections."""


class Tools(Protocol):
    """What a model may use while it thinks."""

    async def start(self) -> Equipment:
        """Start what must be started, within bounds of time; say what is there and what is not."""

    async def call(self, name: str, arguments: Mapping[str, object]) -> ToolOutcome:
        """Use one tool by its offered name, to its end or its deadline. Never raises."""

    async def close(self) -> None:
        """End what was started."""


class Mesh(Protocol):
    """What an agent may do on the mesh: emit, and see who is there."""

    async def emit(self, proposal: Proposal) -> EmissionResult:
        """Mint, store and send a block; return the typed end of it."""

    def peers(self) -> Sequence[PeerView]:
        """Return the peers with an open session."""


class Memory(Protocol):
    """What an agent may read of its own store."""

    def block(self, key: str) -> Block | None:
        """Return the stored block with this content key, if held."""

    def recent(self, limit: int, *, own: bool | None = None, room: str | None = None) -> Sequence[Block]:
        """Return stored blocks, newest first; `own` filters by authorship."""

    def recall(self, query: str, limit: int) -> Sequence[Block]:
        """Return blocks whose text matches, best first."""

    def feedback_for_own(self, limit: int, room: str) -> Sequence[Feedback]:
        """Return what others say of this peer's own blocks of a room, the last stored first."""


class Archive(Protocol):
    """Memory as a person looks through it."""

    def find(self, search: Search, limit: int) -> Found:
        """Return what matches everything that is asked for; the newest first, or the best."""

    def feedback_of(self, key: str, limit: int) -> Sequence[Feedback]:
        """Return what is said of one block, the last stored first."""

    def children(self, key: str) -> Sequence[str]:
        """Return the keys of held blocks that descend from this one directly."""


class Judgements(Protocol):
    """What this peer decided about blocks, and about which."""

    def decisions(self, key: str, limit: int) -> Sequence[Decided]:
        """Return what was decided about a block, newest first, while it is kept."""

    def keys_from(self, digits: str) -> Sequence[str]:
        """Return the keys, of blocks held or turned away, that begin with these hexadecimal digits."""


class Carried(Protocol):
    """What held blocks carry beside their words, and under whose keys."""

    def carried(self, key: str, schema: str) -> bytes | None:
        """Return the application data of a held block, where it is of that schema."""

    def author_keys(self) -> Mapping[str, bytes]:
        """Return the raw public key that each nodeId is bound to."""

    def is_own(self, block: Block) -> bool:
        """Tell whether a block is of whose store this is."""


class Outbox(Protocol):
    """What waits for its peers, or was addressed to them."""

    def outbox(self, limit: int, assertion_id: str | None = None) -> Sequence[OutboxEntry]:
        """Return what has not met its end, oldest first; or everything of one assertion."""


class LinkSink(Protocol):
    """What a transport tells the shell. Calls come on the loop's thread, in the order they happened."""

    def link_opened(self, link: int, *, inbound: bool, address: str, local: str, loopback: bool) -> None:
        """Say that a connection stands, between which two addresses."""

    def link_failed(self, link: int, reason: str) -> None:
        """Say that a dial came to nothing."""

    def link_data(self, link: int, data: bytes) -> None:
        """Hand over bytes that were read."""

    def link_full(self, link: int, full: bool) -> None:
        """Say that the write buffer passed its upper mark, or fell below the lower one."""

    def link_lost(self, link: int, reason: str) -> None:
        """Say that the connection is gone; nothing follows for this link."""


class Transport(Protocol):
    """Byte streams to other peers. Links the engine dials are odd numbers, accepted ones even."""

    async def listen(self, hosts: Sequence[str], port: int, sink: LinkSink) -> int:
        """Accept on one port of all hosts (0: any free one) and return it; raises NetworkError."""

    async def rebind(self, hosts: Sequence[str], sink: LinkSink) -> Sequence[str]:
        """Accept on these hosts from now on; return those that could not be bound. Links stay."""

    def forsake(self, hosts: Sequence[str]) -> int:
        """Cut links from own addresses not among these, loopback apart; return how many."""

    def connect(self, link: int, host: str, port: int, timeout_seconds: float, sink: LinkSink) -> None:
        """Start to dial; `link_opened` or `link_failed` follows."""

    def write(self, link: int, data: bytes) -> None:
        """Write in order; never blocks. `link_full` tells when the buffer is."""

    def reading(self, link: int, on: bool) -> None:
        """Pause or resume reading."""

    def close(self, link: int) -> None:
        """Write what is buffered, then close; of a dial that does not stand yet nothing more is told."""

    async def stop(self) -> None:
        """Stop listening, close every link when its buffered bytes had a moment to leave, and be silent."""


class NetworkView(Protocol):
    """The networks this machine is on."""

    def places(self, chosen: Sequence[str]) -> Sequence[Place]:
        """Return the addresses of interfaces that are up, all or the chosen ones; loopback is none."""


class Discovery(Protocol):
    """One way to learn of peers and to be found by them. What it says is a hint, never a fact."""

    @property
    def renews(self) -> bool:
        """Tell whether it is stopped and started again when the machine's networks have changed."""

    @property
    def label(self) -> str:
        """Return the source's short name for status: `mdns`, `registry`."""

    async def start(self, advert: Advert, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        """Advertise and browse until `stop`. `found` may repeat; `gone` takes a nodeId."""

    async def stop(self) -> None:
        """Withdraw the advertisement and end."""


class LifecycleAuthority(Protocol):
    """Who may validate, dismiss or canonise a block: the one place that memory asks (MMP 2.0 §6.5)."""

    def may(self, move: LifecycleMove, node_id: str) -> Ruling:
        """Say whether a node may make a move, by what is in force now.

        Args:
            move: What is to be done with a block.
            node_id: Who wants it done; judged under the key it is bound to here.
        """

    def validators(self) -> Collection[str]:
        """Return the nodes that may validate now, in a fixed order."""


class StoreTasks(Protocol):
    """A peer's store for rooms of their own: any operation, in order with the commits."""

    def run(self, operation: Callable[[Store], object], done: Callable[[object, str], None]) -> None:
        """Run an operation on the writer's thread.

        Args:
            operation: Gets the native store; what it returns is handed to `done`.
            done: Called on the loop's thread with the value and "", or with None and why nothing was stored.
        """


class ClaimMemory(Protocol):
    """Which key each stock peer said first, beside what sessions proved and never among it."""

    def known(self) -> Sequence[tuple[str, str]]:
        """Return nodeIds and key fingerprints, from earlier runs."""

    def keep(self, node_id: str, fingerprint: str, name: str, now_ms: int) -> None:
        """Remember one more; never blocks."""


class InviteKeeper(Protocol):
    """Where a peer keeps its invites and whom it trusts; called on worker threads. All raise StoreError."""

    def load(self) -> Restored:
        """Return what was kept."""

    def save(self, kept: Restored) -> None:
        """Keep this instead, whole or not at all."""

    def trust(self, node_id: str, fingerprint: str, now_ms: int, note: str) -> None:
        """Trust a node under one key."""


class BlockStore(Protocol):
    """The node's way to its store: a writer that never blocks the loop and answers through callbacks.

    What is handed in between two commits may share one transaction; the answers keep the order.
    """

    def start(self, stored: Callable[[Sequence[Done]], None], failed: Callable[[int, str], None]) -> None:
        """Begin to write; both callbacks come on the loop's thread.

        Args:
            stored: Gets the answers of one or more transactions: durable now.
            failed: Gets a token and a reason: nothing of it was stored.
        """

    def commit(
        self, token: int, batch: OutcomeBatch, now_ms: int, attention: Attention | None = None
    ) -> None:
        """Make the outcomes of one batch durable, with what the inbox is told of them."""

    def put_own(
        self,
        token: int,
        record: Record,
        now_ms: int,
        recipients: Sequence[str],
        deadline_ms: int | None = None,
    ) -> None:
        """Make an own record durable, with the peers it must still reach, and until when (a day)."""

    def put_batch(self, token: int, batch: OwnBatch, now_ms: int) -> None:
        """Make own blocks for everybody durable, all or none; the answer's `held` are those held already."""

    def bind(self, node_id: str, public_key: bytes, name: str, now_ms: int) -> None:
        """Remember the key a nodeId proved first."""

    def mail(self, wish: mail.Effect, answer: Callable[[mail.Event], None]) -> None:
        """Do what directed sends want; `answer` is called on the loop's thread, where there is one."""

    def missing(self, keys: Sequence[str], looked: Callable[[Sequence[str]], None]) -> None:
        """Say which keys are not held; `looked` is called on the loop's thread."""

    def record(self, key: str, loaded: Callable[[Record | None], None]) -> None:
        """Read one held record and verify it again; `loaded` is called on the loop's thread."""

    def restore(self, intake: Intake) -> tuple[Sequence[Record], Sequence[tuple[str, bytes]]]:
        """Fill an intake with anchors, seen-set and bindings; called before `start`, off the loop's thread.

        Returns:
            The newest own broadcast records (newest last), and the bindings as (nodeId, raw key) pairs.
        """

    async def drain(self) -> None:
        """Wait until everything handed in has its answer."""


class Purse(Protocol):
    """The money of a team: one for all its peers of this machine, in a file. Called on threads.

    Every method raises StoreError when the file cannot be read or written; nothing was set aside then.
    """

    def reserve(self, token: int, usd: float) -> PurseRefused | None:
        """Set aside what a call may cost, in one transaction with the look at every cap; None is a yes."""

    def settle(self, token: int, usd: float, usage: Usage | None) -> None:
        """Replace what was set aside by what the call cost; 0 without usage gives it back."""

    def emitted(self) -> None:
        """Count one message; it becomes durable with the next reserve, settlement or close."""

    def view(self) -> Mapping[str, object]:
        """Return caps, sums and members as JSON values."""

    def close(self) -> None:
        """Write what is counted, and let go of the file."""
