"""Bounds of shared state."""

from __future__ import annotations

from typing import Final

# --- shared state (the core's own bounds stand in the native core) -------------------------------------
STATE_SCOPE_CHARS: Final = 256  # name of a scope; the core has the same bound
STATE_AUTHORS: Final = 1_024  # of one scope; the core has the same bound
STATE_KEYS: Final = 4_096  # keys of authors held, those of all scopes together: 0.5 MB
STATE_INTRODUCED: Final = 256  # further authors one peer may vouch for: it cannot fill a map with names
STATE_SCOPES_OF_PEER: Final = 32  # of them begun by one peer's word: it cannot take every place
STATE_TOTAL_BYTES: Final = 268_435_456  # of operations in all replicas of one peer
STATE_SCOPES: Final = 256  # replicas of one peer: its room's, and classes of agents it holds
STATE_REPLICA_BYTES: Final = 67_108_864  # of operations in a room's map: what a small machine still keeps
STATE_AGENT_BYTES: Final = 16_777_216  # of operations in one class of one agent
STATE_CHUNK_BYTES: Final = 131_072  # one delta: verifying it holds the loop for some 20 ms at most
STATE_WINDOW: Final = 4  # deltas to one peer until it says where it stands: half a megabyte
STATE_IN_FLIGHT_SECONDS: Final = 3.0  # what was sent is not sent again before this, unless the peer moved
STATE_STALL_SECONDS: Final = 300.0  # a peer that does not take what it is sent is tried this seldom at last
STATE_GOSSIP_PEERS: Final = 3  # digests in one round: converges in O(log n), costs the same in any room
STATE_GOSSIP_SECONDS: Final = 2.0  # one round, while anything changes …
STATE_GOSSIP_IDLE_SECONDS: Final = 16.0  # … and while nothing does: doubling from one to the other
STATE_GOSSIP_JITTER: Final = 0.25  # of a round, so that a room does not speak at once
STATE_ROUND_BYTES: Final = 65_536  # of digests to one peer in one round; further scopes follow in the next
STATE_PUSH_PEERS: Final = 4  # that a new write is pushed to, and by each that had not heard it
STATE_NEWS_SECONDS: Final = 0.1  # what came by digest is told on after this, together
STATE_ASK_SECONDS: Final = 0.5  # between two digests to one peer that say the same
STATE_DIVERGED_SECONDS: Final = 30.0  # between two repairs with one peer: each sends all that differs
STATE_COLLECT_SECONDS: Final = 60.0  # between two looks for what every member has seen
STATE_WAITING_FRAMES: Final = 1_024  # that wait for the disk; further ones are dropped, gossip repeats them
STATE_PEER_BYTES_PER_SECOND: Final = 4_194_304.0  # read of one peer; more is dropped and comes again
STATE_PEER_BYTES_BURST: Final = 16_777_216  # at once: the largest class of an agent
STATE_PARTS: Final = 1_024  # of one snapshot, at the size below: more than the largest replica
STATE_PART_BYTES: Final = 262_144  # of one snapshot in one frame
STATE_SNAPSHOT_BYTES: Final = 134_217_728  # received: the largest replica, its proofs and its flushes
STATE_SNAPSHOTS: Final = 2  # kept to be read by others, the oldest forgotten
STATE_SNAPSHOT_SECONDS: Final = 30.0  # without a further part, then another peer is asked
STATE_AUDIT_SECONDS: Final = 1.0  # what left of an agent is written down this often
STATE_NAME_BYTES: Final = 512  # of an entry; the core has the same bound
SYNDICATION_RULES: Final = 64  # of one agent: a few classes for a few peers, which a person still reads
SYNDICATION_WITHOUT: Final = 32  # members one rule leaves out
SYNDICATION_FLUSH_ENTRIES: Final = 1_000  # a quarter of what the core signs at once
SYNDICATION_FLUSH_BYTES: Final = 300_000  # with the largest entry, less than what the core signs at once
SYNDICATION_AUDIT_CHARS: Final = 512  # of one member of a line: a class, an author, a nodeId, a digest
SYNDICATION_AUDIT_LINES: Final = 1_000  # in one answer; more are asked for by number
DIARY_ENTRY_BYTES: Final = 65_536  # one entry's text: a long evening's
DIARY_PAGE: Final = 32  # sealed entries in one answer of the control socket: under 3 MB at the longest
DIARY_EXPORT_ENTRIES: Final = 1_048_576  # as many as the store holds
DIARY_EXPORT_BYTES: Final = 1_073_741_824  # of one exported file; a diary of a gigabyte is none
NODE_AGENTS: Final = 64  # of one host: each is a process, or at least a peer, of its own
NODE_RECORDS: Final = 256  # changes of one node: a chain that is read in milliseconds and fits a register
NODE_CHAIN_BYTES: Final = 262_144  # one register of shared state
STATE_TOLD: Final = 1_024  # peers whose last word on a scope is kept: as many as it has authors
STATE_ROWS: Final = 512  # deltas on disk until a snapshot takes their place …
STATE_ROW_BYTES: Final = 1_048_576  # … or so many bytes, and twice the last snapshot
STATE_REFUSALS: Final = 64  # kept for a person to read; counters know of all
STATE_RELOAD_SECONDS: Final = 5.0  # between two tries to read what the disk holds, after it failed
STATE_ANSWER_SECONDS: Final = 30.0  # a write waits for the disk; a slow one has this long
STATE_LISTED_BYTES: Final = 1_048_576  # of values in one answer: a quarter of a line of the control socket
STATE_CHANGED_NAMES: Final = 256  # named in one event of a change; beyond, it says that much changed
STATE_LISTED_ELEMENTS: Final = 2_000  # of a set in one answer: a megabyte of the longest
STATE_LISTED: Final = 10_000  # registers in one answer of the control socket; more are read by prefix
STATE_WRITES: Final = 1_024  # of applications, not durable yet; further ones are refused
CONVERGE_LOOK_SECONDS: Final = 5.0  # between two looks at who differs: a few hash comparisons
CONVERGE_ALARM_SECONDS: Final = 60.0  # a peer that is here and differs that long: idle gossip comes by twice
