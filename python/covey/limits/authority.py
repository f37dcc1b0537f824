"""Bounds of statements of authority and attestations."""

from __future__ import annotations

from typing import Final

# --- authority (MMP 2.0 §6.6; the native core has the bounds of the resolution itself) -----------------
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

# --- attestations (sym-attest-v1) ----------------------------------------------------------------------
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
