"""Every bound of the product, named, with its reason beside it.

Rules: numbers only, grouped by room, units last in the name. A bound that the specification gives says
its section; a bound of ours says what it protects and how it was chosen. Nothing is computed from the
environment here: settings may choose within these bounds, never past them.
"""

from __future__ import annotations

from typing import Final

# --- names -------------------------------------------------------------------------------------------
PEER_NAME_BYTES: Final = 64  # MMP 2.0 §3.1
ROOM_NAME_CHARS: Final = 64  # MMP 2.0 §5.8

# --- keys at rest ------------------------------------------------------------------------------------
PASSPHRASE_BYTES: Final = 1_024  # a file that is longer is not a passphrase file
PASSPHRASE_CHARS_LEAST: Final = 8  # of a new one: argon2id cannot make up for less
SEAL_OPERATIONS_LEAST: Final = 1  # argon2id's least number of passes
SEAL_OPERATIONS_MOST: Final = 16  # passes; with the memory below some half a minute, then somebody lies to us
SEAL_MEMORY_LEAST: Final = 8_388_608  # below, a guess costs nothing worth the name
SEAL_MEMORY_MOST: Final = 1_073_741_824  # libsodium's "sensitive" limit: a file must not take more from us

# --- wire --------------------------------------------------------------------------------------------
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

# --- admission and sends ---------------------------------------------------------------------------------
STRANGER_RECORDS_PER_SECOND: Final = 32.0  # of a peer neither trusted nor local; reading pauses beyond
STRANGER_RECORDS_BURST: Final = 128  # at once
PENDING_RECORDS_HIGH: Final = 8_192  # judged and not yet durable: reading pauses here …
PENDING_RECORDS_LOW: Final = 2_048  # … and goes on here; about half a second of a busy disk
OUTLET_RECORDS: Final = 8_192  # waiting or without receipt for one peer; beyond, a send is refused
OUTLET_PRESSED: Final = 4_096  # from here an emission waits for a peer that is still taking records …
OUTLET_STALLED_SECONDS: Final = 1.0  # … but for none that has taken nothing for this long
PRESSURE_LOOK_SECONDS: Final = 0.25  # how often a waiting emission looks whether that peer has stalled
CLOCK_AHEAD_SECONDS: Final = 86_400  # a signed time may lie: a wrong time zone at most; the core has the same
OUTBOX_SECONDS: Final = 86_400  # a directed record waits a day at most; receivers may refuse older ones
POST_WINDOW: Final = 1_024  # directed records at one peer without its word: a second of a busy disk
POST_UNFINISHED: Final = 4_096  # directed records a peer has and has not finished; the newest are asked for
EXPIRY_LOOK_SECONDS: Final = 3_600.0  # deadlines are looked at this often at least: wall clocks jump
CURSOR_SECONDS: Final = 5.0  # a peer that does not say how far it is by then is sent everything that waits
CURSOR_PACE_SECONDS: Final = 0.5  # a cursor makes us send again what is beyond it: no oftener than this
RENUMBER_SECONDS: Final = 1.0  # after records that could not be stored: the disk may have recovered by then …
RENUMBER_LAST_SECONDS: Final = 30.0  # … doubling up to here: what comes again is judged again
NUMBERS_EARLY: Final = 16  # announcements kept while the store looks up their sender: four windows
NUMBERS_EXPECTED: Final = 8_192  # announced records of one peer not settled yet: eight windows
NUMBERS_HOLES: Final = 256  # holes in one sender's numbers: each is one failed batch of ours, or malice
REASK_SECONDS: Final = 15.0  # what a peer has and has not finished is asked about again after this …
REASK_LAST_SECONDS: Final = 3_600.0  # … doubling up to here: an application may take its time
ASKS_PER_SECOND: Final = 8.0  # questions of one peer about its records: each costs a look in the store
ASKS_BURST: Final = 32  # at once: 8,192 records after a long absence
MAIL_UNDONE: Final = 1_024  # wishes about directed sends that a failing store left undone, newest kept
MAIL_AGAIN_SECONDS: Final = 2.0  # until they are wished again
DELIVERY_NUMBER: Final = 9_007_199_254_740_991  # 2^53 - 1: the largest integer every JSON reader keeps exact
ANCHOR_REPLAY_RECORDS: Final = 5  # own newest records a late joiner gets as context
ANCHOR_REPLAY_SECONDS: Final = 60.0  # at most one replay that is not empty in this time, for each peer
FETCHES_PER_SECOND: Final = 2.0  # questions for a parent, asked of one peer and answered to one (as deployed)
FETCHES_BURST: Final = 8  # at once
FETCH_SECONDS: Final = 10.0  # a question without answer is given up: the pace alone may cost four of them
FETCH_REPEAT_SECONDS: Final = 60.0  # one record is served to one peer at most once in this time
FETCH_WAITING: Final = 64  # keys that wait to be asked of one peer: half a minute of asking
FETCH_ASKED_KEYS: Final = 1_024  # asked of one peer and not asked again, the oldest forgotten
FETCH_SERVED_KEYS: Final = 128  # remembered as served to one peer: more than a minute of answers
FETCH_HELD_KEYS: Final = 8_192  # known to be held without asking the store: 1 MB
ANCHOR_KEYS: Final = 50  # MMP 2.0 update 1: keys in one cmb-anchors frame
MOOD_CHARS: Final = 1_024  # MMP 2.0 update 1: text of a mood frame
RECEIPTS_PER_FRAME: Final = 256  # one batch: about 24 KB, with the longest reasons 75 KB
RECEIPTS_OWED: Final = 16_384  # and one frame, for a peer that reads slowly: 1.5 MB, at the very most 5 MB
RECEIPT_REASON_CHARS: Final = 200  # an explanation of admission in one line, its longest list cut
DRAIN_SECONDS: Final = 2.0  # a stopping peer waits this long for stores and receipts
SHUTDOWN_SECONDS: Final = 5.0  # and its shell this long for the engine to say it has stopped
GOODBYE_SECONDS: Final = 1.0  # and this long for the last bytes to leave a socket

# --- membership ------------------------------------------------------------------------------------------
MEMBERS: Final = 4_096  # members remembered, and pieces of news about them: some 4 MB with the longest lines
MEMBER_META_BYTES: Final = 1_024  # one member's line about itself: sixteen of them and more fit any frame
MEMBER_CLAIMS: Final = 64  # of one frame: 100 KB at the very most, each verified only where it is news
MEMBER_PIGGYBACK: Final = 8  # of them that ride on a probe: what a period costs stays about 2 KB
MEMBER_ERRANDS: Final = 256  # probes under way for others: a flood of asks gets nacks
MEMBER_FORGET_SECONDS: Final = 3_600.0  # who is gone is remembered this long, so that old news stays old

# --- messages between agents ---------------------------------------------------------------------------
MESSAGE_PAYLOAD_BYTES: Final = 262_144  # as JSON: the bound of one category's text, so it fits a record too
JSON_INTEGER: Final = 9_007_199_254_740_991  # the largest integer that every JSON reader keeps
MESSAGE_HOPS: Final = 8  # hand-ons of one message: two more than the widest room of a hundred needs
MESSAGE_DEPTH: Final = 64  # answers to answers: a chain that long is a loop
PROFILE_TEXT_CHARS: Final = 1_024  # a role or a persona in a few lines
PROFILE_CAPABILITIES: Final = 64  # words of one agent: they ride on membership, whose line is 1 KiB
TOPIC_WORDS: Final = 16  # of one topic: matching walks them
BUS_HISTORY: Final = 10_000  # messages kept for looking back: some 10 MB of ordinary ones
BUS_DEAD_LETTERS: Final = 1_000  # messages that reached nobody, kept to be looked at
BUS_SEEN: Final = 10_000  # ids that are not handled twice
BUS_INBOX: Final = 1_024  # messages that wait for one coroutine handler
BUS_BLOCK_SECONDS: Final = 5.0  # the longest a sender waits for a slow subscriber that asked for it
BUS_NESTING: Final = 32  # sends inside handlers inside sends: beyond, it is a loop
VOTE_ID_CHARS: Final = 64  # an id, not a text
VOTE_OPTIONS: Final = 16  # of one vote: people still read them
VOTE_OPTION_CHARS: Final = 256  # one line each
VOTE_ELECTORATE: Final = 1_024  # voters: their ballots fit some hundred KB
AUCTION_BIDS: Final = 1_024  # of one auction; ranking sorts them
REQUESTS_RUNNING: Final = 256  # answers one agent works on at once; beyond, askers hear that it is busy
REQUEST_SECONDS: Final = 30.0  # for a reply, where the asker says nothing else

# --- authority (MMP 2.0 §6.6; the native core has the bounds of the resolution itself) ------------------
AUTHORITY_STATEMENTS: Final = 16_384  # held under the pin: three times one anchor's quota; 30 MB
AUTHORITY_PAGE: Final = 64  # authority-frame schema: statements or ids of one frame
AUTHORITY_STATEMENT_CHECKS: Final = 32  # the dearest statement: 16 signatures and one unknown key
AUTHORITY_CHECKS_PER_SECOND: Final = 512.0  # one peer's statements may cost: 2 % of one core
AUTHORITY_CHECKS_BURST: Final = 4_096  # at once: two full answers at their dearest, 0.15 s
AUTHORITY_PENDING: Final = 64  # statements of one peer that wait for a grant (§6.6.8)
AUTHORITY_PENDING_SECONDS: Final = 10.0  # and how long (§6.6.8)
AUTHORITY_ANSWERS_PER_SECOND: Final = 4.0  # to one peer, the rest waits (as deployed)
AUTHORITY_ANSWERS_BURST: Final = 16  # at once
AUTHORITY_QUESTIONS: Final = 64  # of one peer that wait for that pace
AUTHORITY_ANSWER_SECONDS: Final = 10.0  # then a question is given up
AUTHORITY_PULL_TRIES: Final = 3  # for one page, then later again
AUTHORITY_REPULL_FIRST_SECONDS: Final = 2.0  # roots that stay apart are looked at again, doubling from here …
AUTHORITY_REPULL_LAST_SECONDS: Final = 300.0  # … up to here
AUTHORITY_DIGEST_SECONDS: Final = 1.0  # between two digests to one peer (§6.6.8)
AUTHORITY_SETTLE_SECONDS: Final = 0.05  # what comes together is resolved together …
AUTHORITY_SETTLE_EACH_SECONDS: Final = 0.000_02  # … the later the more there is: 0.4 s with a full ledger
AUTHORITY_RELAYED: Final = 256  # statements passed on of one resolution; a digest brings the rest
AUTHORITY_FAILURES: Final = 8  # of one peer in the time below, then its statements are dropped unread
AUTHORITY_MUTE_SECONDS: Final = 60.0  # until that is forgotten
AUTHORITY_KEPT_AT_ONCE: Final = 256  # of one transaction
AUTHORITY_LISTED: Final = 4_096  # in one list: 2 MB of its line; --json of an export has them all
AUTHORITY_EXPORTED: Final = 256  # in one answer of an export: 2 MB at their longest, and usually 150 KB
ANCHOR_MEMBERS: Final = 16  # keys of an anchor (§6.6.1)
AUTHORITY_FILE_BYTES: Final = 33_554_432  # of an import: a full ledger at 2 KB a statement

# --- attestations (sym-attest-v1) -------------------------------------------------------------------
ATTEST_CHECKPOINT_EVERY: Final = 8  # §5.2 of the extension: attestations until a checkpoint is due
ATTEST_CHECKPOINT_SECONDS: Final = 60.0  # and how long fewer wait for one
ATTEST_OWN_PER_SECOND: Final = 16.0  # signed of a busy stream: 0.1 % of one core, 16 KB a second to each peer
ATTEST_OWN_BURST: Final = 128  # at once
ATTEST_FRAMES_PER_SECOND: Final = 64.0  # of one peer, before verification (§6 step 7); 0.3 % of one core
ATTEST_FRAMES_BURST: Final = 256  # at once
ATTEST_STORED_PER_SECOND: Final = 128.0  # of all peers, after verification: the ceiling of §6 step 9
ATTEST_STORED_BURST: Final = 512  # at once
ATTEST_REPEATS: Final = 30  # attestations about one record by one node in the time below (§6 step 9)
ATTEST_REPEAT_SECONDS: Final = 60.0  # that those are counted in
ATTEST_REPEAT_PAIRS: Final = 4_096  # (record, node) pairs counted at once, the oldest forgotten
ATTEST_CHECKPOINTS_PER_SECOND: Final = 4.0  # of one attester, after verification (§6 step 9)
ATTEST_FAILURES: Final = 8  # of one signer through one peer in a minute, then dropped unverified
ATTEST_ATTESTERS: Final = 1_024  # whose checkpoints are held in memory, the longest silent forgotten
ATTEST_CHECKPOINTS_EACH: Final = 64  # newest ones of one attester in memory: 512 attestations back
ATTEST_KNOWN: Final = 16_384  # attestations and witnesses recognised as held, the oldest forgotten; 4 MB
ATTEST_RESTORED: Final = 4_096  # checkpoints read back and verified at start: 0.2 s
ATTEST_DIRECTED: Final = 4_096  # directed records remembered, so that nothing about them is passed on
ATTEST_KEPT_AT_ONCE: Final = 256  # frames of one transaction
ATTEST_WAITING: Final = 4_096  # frames that wait for the disk; beyond, those of others are dropped
ATTEST_PAGE: Final = 512  # rows read at once, and of one answer: half a megabyte
ATTEST_PROBLEMS: Final = 1_000  # told of one log; more say nothing new
ATTEST_STATS_SECONDS: Final = 60.0  # between our node-stats; the extension asks for 15 at least (§5.4)
API_QUEUE: Final = 1_024  # deliveries that wait for one handler; the oldest goes, and that is told
API_DRAIN_SECONDS: Final = 5.0  # what handlers hold may still be finished when a program leaves the context

# --- relay -----------------------------------------------------------------------------------------------
RELAY_AUTH_SECONDS: Final = 10.0  # MMP 2.0 §4.4.1: a client that has not said who it is by then is closed
RELAY_PING_SECONDS: Final = 10.0  # MMP 2.0 §4.4.5: the recommended interval
RELAY_MISSES: Final = 2  # MMP 2.0 §4.4.5: pings in a row without answer, then 4005
RELAY_FRESH_SECONDS: Final = 5.0  # MMP 2.0 §4.4.7: a younger connection is not replaced by a second one
RELAY_MESSAGE_BYTES: Final = 1_052_672  # the largest frame, and 4 KiB of envelope around it
RELAY_OWN_BYTES: Final = 32_768  # a relay frame but relay-peers: relay-auth with the longest push token
RELAY_PEERS: Final = 4_096  # MMP 2.0 relay-frame schema: peers in one relay-peers, so members of one channel
RELAY_PEERS_BYTES: Final = 1_000_000  # of one relay-peers: it fits one message, with wake channels too
RELAY_OFFLINE_PEERS: Final = 1_024  # of one channel, remembered for their wake channels, oldest forgotten
RELAY_NAME_CHARS: Final = 255  # MMP 2.0 relay-frame schema
RELAY_TOKEN_CHARS: Final = 4_096  # MMP 2.0 relay-frame schema
RELAY_WAKE_CHARS: Final = 32  # MMP 2.0 control-frame schema: platform and environment of a wake channel
RELAY_TEXT_CHARS: Final = 1_024  # MMP 2.0 relay-frame schema: message of a relay-error; its other texts too
RELAY_FEATURES: Final = 64  # MMP 2.0 update 1: features a relay may name, 64 characters each
RELAY_CLIENTS: Final = 4_096  # connections of one relay at once: twice what it is measured with
RELAY_STRANGERS: Final = 512  # of them that have not said who they are
RELAY_QUEUE_BYTES: Final = 4_194_304  # that wait for one client; beyond, frames are refused and senders told
RELAY_SLOW_BYTES: Final = 1_048_576  # that wait for one client until it counts as slow: one largest frame
RELAY_CAUGHT_UP_BYTES: Final = 262_144  # and until it counts as caught up
RELAY_QUEUED_BYTES: Final = 67_108_864  # that wait for all clients: a relay stays small whoever is slow
RELAY_FRAMES_PER_SECOND: Final = 100.0  # of one client, then reading pauses; floor of update 1 §19.1: 25
RELAY_FRAMES_BURST: Final = 500  # at once; the floor is 300
RELAY_TOKENS: Final = 4_096  # tokens of one relay: a file a person still reads
RELAY_TOKENS_BYTES: Final = 1_048_576  # of that file
RELAY_GOODBYE_SECONDS: Final = 2.0  # a client that does not answer our close is cut off after this
RELAY_REQUEST_SECONDS: Final = 10.0  # for the HTTP request of a WebSocket: a slow-loris costs this long
RELAYS: Final = 4  # relays one peer is connected to at once: each costs a connection and its pings
RELAY_PACE_PER_SECOND: Final = 20.0  # frames we send to a relay, under the floor of update 1 §19.1 (25)
RELAY_PACE_BURST: Final = 200  # at once, under its floor (300)
RELAY_PONG_SECONDS: Final = 20.0  # unsolicited relay-pong (MMP 2.0 §4.4.5): middle boxes keep the line
RELAY_SILENCE_SECONDS: Final = 60.0  # six pings: a relay as quiet as that is gone
RELAY_RETRY_FIRST_SECONDS: Final = 1.0  # doubling from here (as deployed peers do)
RELAY_RETRY_LAST_SECONDS: Final = 30.0  # up to here
RELAY_RETRY_JITTER: Final = 0.1  # of the delay, added: a restarted relay is not met by everybody at once
RELAY_RETRY_REFUSED_SECONDS: Final = 600.0  # after 4002 or 4003: only a person can mend it
RELAY_STOCK_PEERS: Final = 256  # handshakes kept in a legacy room, 16 KiB each at most
RELAY_WAITING_BATCHES: Final = 512  # of one relayed session not yet judged: four times a stranger's burst
UNKNOWN_SESSION_PER_SECOND: Final = 2.0  # answers to frames of unknown sessions, to all (update 1 §7.2)
UNKNOWN_SESSION_BURST: Final = 8  # at once
UNKNOWN_SESSION_ASKERS: Final = 1_024  # senders remembered, so that each gets one answer a second
RELAY_PACED_HIGH_BYTES: Final = 1_048_576  # that wait for their pace until nothing more is sealed for it
RELAY_PACED_LOW_BYTES: Final = 262_144  # and until it goes on
RELAY_PACED_BYTES: Final = 8_388_608  # frames beyond are given back as undelivered

# --- discovery -------------------------------------------------------------------------------------------
TXT_BYTES: Final = 1_300  # RFC 6763 §6.2: a TXT record that fits one packet
MDNS_LOOKUP_MS: Final = 3_000  # the library's own pace: three questions for one record
REGISTRY_POLL_SECONDS: Final = 0.25  # a peer on this machine is met within this time
STOCK_REGISTRY_POLL_SECONDS: Final = 2.5  # stock peers look and write every five
STOCK_REGISTRY_FRESH_MS: Final = 30_000  # as stock peers have it: an older entry is of a dead one
STOCK_ROOM_CHARS: Final = 62  # a DNS label has 63 bytes, one of them the underscore
REGISTRY_ENTRIES: Final = 1_024  # files read in one look: a directory anyone local could fill
REGISTRY_ENTRY_BYTES: Final = 4_096  # one entry has nine short members

PEER_INFO_READ: Final = 256  # entries of one peer-info that are read (as deployed peers do); 4,096 may come
PEER_INFO_TOLD: Final = 64  # entries of one we send, the newest first: about 7 KB
PEER_INFO_KEPT: Final = 1_024  # nodes heard of, and peers whose pace is remembered, the oldest forgotten
PEER_INFO_SECONDS: Final = 60.0  # between two peer-info to one peer, and between two of one that are read
PEER_INFO_BURST: Final = 2  # at once: a peer that crashed tells again
PATHS_ASKED: Final = 32  # nodes in one question, and hints kept on one peer's word about others
PATHS_FRAME_BYTES: Final = 24_576  # 32 nodes with eight addresses of 64 characters
PATHS_PER_SECOND: Final = 0.1  # frames of one peer that are read: each may cost dials
PATHS_BURST: Final = 8  # at once
PATHS_TELL_SECONDS: Final = 120.0  # how often a peer says where it listens, so that hints live on
PATHS_HINT_SECONDS: Final = 300.0  # how long a hint lives: it may be missed once
NETWORKS_LOOK_SECONDS: Final = 2.0  # how often interfaces are looked at: 0.3 ms of work

# --- invites -----------------------------------------------------------------------------------------
INVITE_CHARS: Final = 32_768  # one line; the core has the same bound
INVITE_HOURS: Final = 720.0  # thirty days at most: it carries a relay's token; the core has the same bound
INVITE_HOURS_USUAL: Final = 24.0  # until tomorrow: long enough to be read
INVITE_SKEW_MS: Final = 300_000  # how far clocks may differ (as for a room's grants); the core has the same
INVITE_RELAYS: Final = 4  # as many as a peer is connected to; the core has the same bound
INVITE_ADDRESSES: Final = 8  # a host has a few interfaces; the core has the same bound
INVITES: Final = 256  # given by one peer and still open, the oldest forgotten: a list a person made
INVITE_GUESTS: Final = 64  # keys that come with one invite that is not for single use
INVITE_FRAME_BYTES: Final = 128  # an id or an answer
INVITE_TRIES_PER_SECOND: Final = 0.1  # invites one peer may show: each costs a look-up and perhaps a write
INVITE_TRIES_BURST: Final = 4  # at once
INVITES_BYTES: Final = 4_194_304  # of the file: 256 invites of 64 guests, and as many taken

# --- store (the tables' own bounds stand in the native store) ----------------------------------------
STORE_GROUP_ROWS: Final = 1_024  # of one transaction: about 30 ms of work, four full batches
STORE_QUEUE_ROWS: Final = 16_384  # that wait for the disk: twice what stops reading, so a burst fits
STORE_OUTBOX_PAGE: Final = 256  # records read back for one peer at once, each verified

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

# --- configuration file ------------------------------------------------------------------------------
CONFIG_BYTES: Final = 1_048_576  # far above any written by hand; a mistaken path to a log stops here
PROMPT_BYTES: Final = 65_536  # system text: about 16,000 tokens, twice the default context
PROMPT_VARIABLES: Final = 64  # in [prompt.variables]
PROMPT_VARIABLE_CHARS: Final = 4_096  # one of them: a paragraph, not a file
CONFIG_PROBLEMS: Final = 20  # problems shown at once: more than a screen helps nobody
INTERFACES: Final = 16  # names in [mesh] interfaces: a machine with more is a router
STATIC_PEERS: Final = 256  # addresses in [mesh] peers: each is dialled for as long as the peer lives
TRUST_ENTRIES: Final = 4_096  # identities in [trust]: a directory, not a list, beyond that
API_KEY_CHARS: Final = 4_096  # the longest vendor tokens are JWTs of about 2,000
URL_CHARS: Final = 2_048  # what servers commonly accept

# --- model calls -------------------------------------------------------------------------------------
MODEL_OUTPUT_TOKENS: Final = 128_000  # the largest output any listed model can give
MODEL_TIMEOUT_SECONDS: Final = 600.0  # the vendors' own default; a local model on a small machine is slow
MODEL_TIMEOUT_DEFAULT_SECONDS: Final = 60.0  # a block-sized answer takes 2 to 20 s
MODEL_REPLY_BYTES: Final = 8_388_608  # raw HTTP body: 128,000 tokens as JSON stay under 1 MiB
MODEL_LINE_BYTES: Final = 1_048_576  # one event of a stream: a whole answer in one delta stays below
MODEL_FIRST_TOKEN_SECONDS: Final = 600.0  # what a configuration may wait for a first word: the whole call
MODEL_TOOL_CALLS: Final = 16  # calls read from one reply; a wake has few to spend
MODEL_BLOCKS: Final = 256  # content blocks of one streamed answer: texts, thoughts and calls
MODEL_ROLES: Final = 64  # roles with a table of their own in [model.roles]
MODEL_TAPE_FILES: Final = 10_000  # calls on one tape: a day of the default wake budget, ten times
MODEL_RETRY_AFTER_SECONDS: Final = 3_600.0  # a vendor may ask for a pause, not for ever
MODEL_ERROR_CHARS: Final = 200  # of a vendor's own words in our message
MODEL_PROBE_SECONDS: Final = 0.4  # is Ollama there? loopback answers in 2 ms, start-up must not hang
PROBE_OUTPUT_TOKENS: Final = 64  # one word, and room for a model that thinks a little first
CHARS_PER_TOKEN: Final = 4  # the usual estimate for English text (feature notes §4.4)
BYTES_PER_TOKEN_FLOOR: Final = 2  # for reserves: code and other scripts reach 2 bytes a token

# --- scripted adapter --------------------------------------------------------------------------------
SCRIPTED_RULES: Final = 256  # looked at in order for each wake
SCRIPTED_MATCH_CHARS: Final = 2_000  # of one category a pattern sees: the operator's regex, a peer's text
SCRIPTED_QUOTE_CHARS: Final = 200  # of a peer's text quoted into our own block
SCRIPTED_TEMPLATE_CHARS: Final = 4_000  # one emitted category
SCRIPTED_THREADS: Final = 4_096  # threads whose `max_times` are remembered, oldest forgotten first

# --- context -----------------------------------------------------------------------------------------
CONTEXT_TOKENS_MIN: Final = 256  # a preamble and one block need about 150
CONTEXT_TOKENS_MAX: Final = 1_000_000  # the largest window on the market
CONTEXT_BLOCKS: Final = 200  # each of lineage, own and room recents

# --- budgets and safety ------------------------------------------------------------------------------
WAKES_PER_WINDOW: Final = 100_000  # stamps held in memory and in the state row: 0.8 MB at worst
WAKE_SOFT_RATIO: Final = 0.8  # feature notes §6: warn when four fifths of a window are used
COST_USD: Final = 1_000_000.0  # a cap above this is a typing mistake
COST_BUCKET_SECONDS: Final = 60  # money is remembered by the minute: 1,440 sums hold a day
COST_OVERRUN_PERMILLE: Final = 20_000  # a vendor that bills 20 times its estimate is stopped by the caps
TEAM_MEMBERS: Final = 256  # peers that one purse knows; those not seen for a day make room
TEAM_RESERVE_SECONDS: Final = 660  # set aside so long without an end, it is spent: no call lasts longer
TEAM_AGAIN_SECONDS: Final = 2.0  # to ask again where only what others hold back is in the way
TEAM_BUSY_SECONDS: Final = 5.0  # to wait for another process's transaction, which takes milliseconds
CYCLE_DEPTH: Final = 64  # ancestors' depth one may ask to be searched
CYCLE_NODES: Final = 512  # blocks visited in one walk: a wide lineage must not stall the loop
THREAD_HOPS: Final = 24  # a chain from task to block longer than this is talk without an end
THREADS: Final = 4_096  # threads remembered as closed or called for, oldest forgotten first: 0.4 MB
THREAD_CALLS: Final = 4  # model calls of one peer in one thread: a triad ends a task in twelve at most
THREAD_CALLS_MAX: Final = 1_000  # what a configuration may raise it to
GATE_TEXT_CHARS: Final = 16_384  # of one category looked at; a longer one is held, not skipped
GATE_TEXTS: Final = 4_096  # texts looked at in one application payload
GATE_PATTERNS: Final = 64  # of the operator's own
GATE_PATTERN_CHARS: Final = 512  # one of them
QUARANTINE_ENTRIES: Final = 64  # answers that wait for a person: more than anybody looks through
QUARANTINE_BYTES: Final = 2_000_000  # of their texts: the document stays under STATE_BYTES, escaped
QUARANTINE_DECIDED: Final = 128  # decisions remembered, so that a second word gets a true answer
QUARANTINE_SECONDS: Final = 259_200.0  # three days by default: a weekend passes
QUARANTINE_SECONDS_MAX: Final = 2_592_000.0  # a month; later nobody knows what it was about
RECALLED_OWN_BLOCKS: Final = 256  # own blocks looked through for an answer that was approved before a crash
LOOP_SECONDS: Final = 3_600.0  # turns remembered: what goes round slower costs little
LOOP_REACTION_SECONDS: Final = 300.0  # a block later than this after ours is no reaction to it
LOOP_TURNS: Final = 256  # turns remembered: 0.3 MB saved at worst
LOOP_WORDS: Final = 64  # content words of one turn
LOOP_ALIKE: Final = 0.5  # half of the content words in common (Dice): paraphrases reach it, tasks do not
LOOP_ROUNDS: Final = 4  # rounds of one matter by default: ask, answer, correct, thank
LOOP_ROUNDS_MAX: Final = 100  # what a configuration may raise it to
BREAKER_FAILURES: Final = 5  # in a row until the breaker opens (feature notes §6)
BREAKER_RESET_SECONDS: Final = 60.0  # open this long, then one probe
BREAKER_BACKOFF_FIRST_SECONDS: Final = 1.0  # doubling from here
BREAKER_BACKOFF_LAST_SECONDS: Final = 30.0  # up to here
BREAKER_JITTER: Final = 0.2  # of a pause, added at most: a room that failed together spreads out
STATE_BYTES: Final = 4_194_304  # one restored state row; ours stay under 2 MB

# --- agent loop --------------------------------------------------------------------------------------
LINEAGE_BLOCKS: Final = 256  # resolved by one walk: four generations of four parents
THREAD_BLOCKS: Final = 4_096  # kept at hand for walking; older ones are read from the store
THREAD_SEARCHED: Final = 512  # newest blocks looked through for a thread's authors, at each wake
THREAD_CLOSINGS: Final = 1_024  # closing blocks remembered: a hundred threads of ten agents
AGENT_WOKEN: Final = 8_192  # past wakes kept in memory; the store keeps more, this spares the question
AGENT_IN_FLIGHT: Final = 64  # wakes at once that a configuration may ask for
AGENT_DECISIONS: Final = 16  # latest decisions that `status` lists
AGENT_DECISION_WORDS: Final = 256  # pairs of event and reason that are counted; ours are some sixty
AGENT_RETRY_SECURE_SECONDS: Final = 5.0  # after the disk refused to keep what a call would spend
WAITING_SECONDS: Final = 86_400.0  # a deferred block older than a day is answered by nobody
AGENT_RECALLED_BLOCKS: Final = 512  # read at start, so that threads go on where they stood
AGENT_RESTORED: Final = 256  # blocks an earlier run had not come to, taken up: as many as may wait
AGENT_EARLY_NEWS: Final = 4_096  # heard before the agent has read its state: some 50 ms of a busy room
AGENT_SETTLED: Final = 4_096  # ends of sends remembered until the emission's own answer is in
AGENT_SETTLE_SECONDS: Final = 3.0  # at the end of a run: a receipt on loopback takes milliseconds
AGENT_DRAIN_SECONDS: Final = 30.0  # told to stop: most answers take 2 to 20 s and are paid for already
AGENT_DRAIN_SECONDS_MOST: Final = 3_600.0  # what `covey stop --timeout` may allow it
STOP_SECONDS: Final = 12.0  # after the drain: last receipts, goodbyes, the store's last write
RUN_PARTICIPANTS: Final = 256  # agents of one run; a thread of more is not read by anybody
RUN_IDLE_SECONDS: Final = 604_800.0  # a week of silence; who waits longer does not want an end
RUN_CALLS: Final = 1_000_000  # a bound above this is a typing mistake
ANSWER_CATEGORY_CHARS: Final = 16_384  # one category of an answer: far over any sane one
ANSWER_SCANNED_CHARS: Final = 262_144  # of a reply without tool call, searched for JSON
ANSWER_CANDIDATES: Final = 32  # opening braces tried in it

# --- tools -------------------------------------------------------------------------------------------
TOOLS: Final = 64  # offered to a model: vendors advise some 20, and each costs tokens in every question
TOOL_SOURCES: Final = 16  # MCP servers of one peer, and Python files: each server is a process or connection
TOOL_NAME_CHARS: Final = 64  # of an offered name: what the vendors' APIs take
TOOL_DESCRIPTION_CHARS: Final = 2_000  # of a tool's own words about itself; longer ones are cut
TOOL_SCHEMA_BYTES: Final = 8_192  # of a tool's input schema; a larger one is not offered
TOOL_COMMAND_WORDS: Final = 64  # of the command that starts a server
TOOL_VARIABLES: Final = 64  # of its environment
TOOL_CALLS: Final = 64  # of one wake that a configuration may allow
TOOL_RESULT_BYTES: Final = 65_536  # of one result: about 16,000 tokens
TOOL_ARGUMENT_BYTES: Final = 16_384  # of one call: what a person or a gate still looks at
TOOL_SECONDS: Final = 600.0  # one call; longer work belongs behind a block, not inside a wake
TOOL_ASK_SECONDS: Final = 86_400.0  # a person decides within a day or not at all
TOOL_ASKS: Final = 64  # calls that wait for a person at once
TOOL_START_SECONDS: Final = 30.0  # a server's start: npx and uvx load what they run first
TOOL_STOP_SECONDS: Final = 5.0  # and its end; the library kills what stays longer
TOOL_RESTART_SECONDS: Final = 5.0  # a server that ended is started again at most this often
TOOL_PAGES: Final = 16  # of a server's list of tools
TOOL_STDERR_BYTES: Final = 2_048  # of a server's last words, shown when it does not start

# --- logging -----------------------------------------------------------------------------------------
LOG_FILE_BYTES_MIN: Final = 1_024  # one line must fit
LOG_FILE_BYTES_MAX: Final = 1_073_741_824  # a log of 1 GiB is not read, it is shipped elsewhere
LOG_FILES: Final = 100  # rotated files kept

LOG_LINE_BYTES: Final = 4_194_304  # of one line that is read back: the largest of ours is far smaller
LOG_SHOWN_LINES: Final = 100_000  # of one `covey logs`: some 30 MB of text
LOG_SHOWN_CHARS: Final = 200  # of one value on a terminal; --json shows all

# --- control socket ----------------------------------------------------------------------------------
SOCKET_PATH_BYTES: Final = 100  # sun_path holds 104 bytes on macOS, 108 on Linux, its zero included
IPC_LINE_BYTES: Final = 4_194_304  # seven categories of 262,144 bytes, escaped, and the line around them
IPC_CONNECTIONS: Final = 64  # one user's own programs; more is a leak in one of them
IPC_IN_FLIGHT: Final = 16  # requests of one connection at work; its further lines wait unread
IPC_SUBSCRIBER_EVENTS: Final = 1_024  # a second of a busy peer; a longer wait is a stuck reader
IPC_ANSWER_SECONDS: Final = 5.0  # a peer's answer about itself; verbs that wait for others say more
IPC_LEAVE_SECONDS: Final = 1.0  # what is written gets this long to leave when the peer stops
IPC_RECEIPT_SECONDS: Final = 5.0  # default wait for what peers say of a block; on loopback they take 20 ms
IPC_RECALL_BLOCKS: Final = 200  # blocks in one answer: about 200 KB of usual blocks
IPC_OUTBOX_ROWS: Final = 1_000  # sends in one answer: about 400 KB
IPC_TRACE_DEPTH: Final = 64  # generations in one tree; more than a person reads

# --- commands --------------------------------------------------------------------------------------------
WATCH_PEERS: Final = 64  # rows of one live table: more than a screen holds
WATCH_THREADS: Final = 8  # peers asked at once: each answers in milliseconds, or not at all
WATCH_ANSWER_SECONDS: Final = 2.0  # a peer that takes longer is shown as silent
MIGRATE_FILE_BYTES: Final = 1_048_576  # of one file of the Node product; its largest is a state of 1 KB
MIGRATE_FILES: Final = 10_000  # of one of its folders
DOCTOR_FILES: Final = 20_000  # files of one home that are looked at: more is no home of a person's peers
DOCTOR_ANSWER_SECONDS: Final = 2.0  # for a running peer's status: it takes milliseconds
DOCTOR_RELAY_SECONDS: Final = 5.0  # to open a WebSocket, its TLS included
DOCTOR_CLOCK_SECONDS: Final = 60.0  # apart: what a person would call a wrong clock
DOCTOR_FREE_BYTES: Final = 104_857_600  # below, a store and its log may fail any day

# --- conformance kit ---------------------------------------------------------------------------------
CONFORM_FILES: Final = 2_000  # JSON files below one folder: the published repository has some 60
CONFORM_FILE_BYTES: Final = 8_388_608  # one artifact; the largest published one has 428 kB
CONFORM_LINE_BYTES: Final = 16_777_216  # one line of an adapter: a text of four-byte signs past a bound
CONFORM_ANSWER_SECONDS: Final = 30.0  # one operation of another implementation, its start included
CONFORM_SESSIONS: Final = 64  # sessions an adapter keeps open for the kit, which uses two at once
CONFORM_DETAILS: Final = 20  # failures listed below the table; --json lists all
