"""Bounds of frames, connections and the peers behind them."""

from __future__ import annotations

from typing import Final

# --- wire ----------------------------------------------------------------------------------------------
FRAME_BYTES: Final = 1_048_576  # MMP 2.0 §4.1: one frame, prefix excluded
CATEGORY_TEXT_BYTES: Final = 262_144  # MMP 2.0 update 1: one category's text in UTF-8
JSON_DEPTH: Final = 128  # nesting a peer may send us; the reference refuses the same
HANDSHAKE_FRAME_BYTES: Final = 16_384  # all that a stranger can make us hold; the core has the same bound
HANDSHAKE_SECONDS: Final = 10.0  # MMP 2.0 §5.2: a connection that is not proved by then is closed
CONNECT_SECONDS: Final = 10.0  # MMP 2.0 §4.6: one dial
BATCH_RECORDS: Final = 256  # records for one native call: bounds one GIL-free stretch to a few ms

# --- connections and peers -----------------------------------------------------------------------------
LISTEN_TRIES: Final = 8  # ports tried until one is free on every host: a busy machine has one in two
LINKS: Final = 1_024  # connections at once: the usual soft limit of open files
UNPROVEN_LINKS: Final = 64  # of them still in their handshake: a flood of dials costs at most this much
PING_SECONDS: Final = 10.0  # MMP 2.0 §5.5: silence after which a peer is pinged
SILENCE_SECONDS: Final = 120.0  # MMP 2.0 §5.5: silence after which its session is closed
RTT_SECONDS: Final = 60.0  # age of a round trip after which a session that is never silent is pinged too
FAILOVER_SECONDS: Final = 30.0  # the same where another path to the peer stands: three pings without answer
PEER_RETENTION_SECONDS: Final = 300.0  # MMP 2.0 §5.6: how long a peer that left is still expected back
RETIRE_SECONDS: Final = 1.0  # a superseded session is read this long: what was on its way arrives
RETIRE_SERVER_SECONDS: Final = 3.0  # longer on the accepting side: the client decides between its own dials
CLAIMS: Final = 4_096  # stock peers whose first key is remembered; one more is refused, none pushed out
CANDIDATES: Final = 4_096  # hinted peers kept: hints are free to make, so they are bounded
CANDIDATE_ADDRESSES: Final = 8  # of one hint: a host has a few interfaces
REDIAL_FIRST_SECONDS: Final = 0.25  # doubling from here: a peer that is still starting is met soon
REDIAL_LAST_SECONDS: Final = 30.0  # up to here
REDIAL_JITTER: Final = 0.25  # of the delay, so that a whole room does not dial at once
CLOSED_LOGS_PER_SECOND: Final = 0.2  # lines on connections that end: whoever fails in a loop is counted
CLOSED_LOGS_BURST: Final = 50  # lines at once
HEALTHY_SECONDS: Final = 10.0  # a session that lived this long starts the redial delays anew
WRITE_HIGH_BYTES: Final = 1_048_576  # buffered for one peer until it counts as slow: one largest frame
WRITE_LOW_BYTES: Final = 262_144  # and until it counts as caught up
DEFERRED_BYTES: Final = 1_048_576  # of frames that wait while their extension is loaded: it takes a moment
