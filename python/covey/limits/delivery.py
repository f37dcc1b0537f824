"""Bounds of records on their way: admission, sends, receipts and fetches."""

from __future__ import annotations

from typing import Final

# --- admission and sends -------------------------------------------------------------------------------
STRANGER_RECORDS_PER_SECOND: Final = 32.0  # of a peer neither trusted nor local; reading pauses beyond
STRANGER_RECORDS_BURST: Final = 128  # at once
ROUND_RECORDS: Final = 256  # of one peer in one round of verification: one batch, so some milliseconds
ROUND_SECONDS: Final = 0.05  # a round in which nobody waits: below 5,120 a second nobody ever does
PRESSING_SECONDS: Final = 5.0  # a peer that has had to wait for its turn for this long is shown as pressing …
CALM_SECONDS: Final = 1.0  # … until it has not had to for this long
PENDING_RECORDS: Final = 8_192  # judged and not yet durable: half a second of a busy disk; one peer has half
OUTLET_RECORDS: Final = 8_192  # waiting or without receipt for one peer; beyond, a send is refused
OUTLET_PRESSED: Final = 4_096  # from here an emission waits for a peer that is still taking records …
OUTLET_STALLED_SECONDS: Final = 1.0  # … but for none that has taken nothing for this long
OUTLET_BYTES: Final = 67_108_864  # of them, as credit counts: 8,192 records of 8 KiB each
CREDIT_RECORDS: Final = 2_048  # of one session under way or not yet durable: a quarter of PENDING_RECORDS
CREDIT_BYTES: Final = 8_388_608  # of them: 4 KiB each; three quarters hold the largest record many times
CREDIT_NARROW_RECORDS: Final = 256  # the same through a relay, which is never paused, and of a stranger
CREDIT_NARROW_BYTES: Final = 2_097_152  # of them: three quarters of it hold the largest record
CREDIT_FIRST_RECORDS: Final = 64  # granted by the token alone: what a first round trip may bring …
CREDIT_FIRST_BYTES: Final = 1_048_576  # … of one largest frame in all
CREDIT_SLOW_SECONDS: Final = 1.0  # without any grant while something waits: the peer is slow, and is asked …
CREDIT_ASK_LAST_SECONDS: Final = 30.0  # … again, doubling up to here
EMIT_TOGETHER: Final = 128  # own blocks signed in one native call: some milliseconds on one core
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
MOOD_CONTEXT_CHARS: Final = 4_096  # MMP 2.0 update 1: what it is about
MOODS_PER_SECOND: Final = 1.0  # of one peer, said and heard: how somebody is does not change faster
MOODS_BURST: Final = 8  # at once
RECEIPTS_PER_FRAME: Final = 256  # one batch: about 24 KB, with the longest reasons 75 KB
RECEIPTS_OWED: Final = 16_384  # and one frame, for a peer that reads slowly: 1.5 MB, at the very most 5 MB
RECEIPT_REASON_CHARS: Final = 200  # an explanation of admission in one line, its longest list cut
DRAIN_SECONDS: Final = 2.0  # a stopping peer waits this long for stores and receipts
SHUTDOWN_SECONDS: Final = 5.0  # and its shell this long for the engine to say it has stopped
GOODBYE_SECONDS: Final = 1.0  # and this long for the last bytes to leave a socket
COUNTS_KEPT: Final = 1_024  # counts that are made once: some two hundred names, mostly by one; 300 KB at most

# --- store (the tables' own bounds stand in the native store) ------------------------------------------
STORE_GROUP_ROWS: Final = 1_024  # of one transaction: about 30 ms of work, four full batches
STORE_QUEUE_ROWS: Final = 16_384  # that wait for the disk: twice what stops reading, so a burst fits
INDEX_REST_SECONDS: Final = (
    0.02  # without a commit before few rows are indexed: each costs half a commit alone
)
INDEX_BUSY_ROWS: Final = 64  # that wait before a slice between commits: 32 at once cost twice as much
INDEX_BURST_ROWS: Final = 32  # of one group of commits: blocks come in bulk, and index slices may be large
INDEX_SLICE_ROWS: Final = 512  # indexed at once at most; in bulk so many wait: the cheapest, some 4 ms
INDEX_LAG_ROWS: Final = 16_384  # behind; past it each group of commits waits until as many rows are indexed
STORE_OUTBOX_PAGE: Final = 256  # records read back for one peer at once, each verified
