//! Every bound of the store, with its reason. A bound that is reached either drops the oldest, and says so in
//! `stats`, or refuses with `store_limit`.

/// Rows one transaction may take. 16 batches of 256: at 20 µs a row this is about 80 ms of work, and a reader
/// never waits for it (WAL).
pub const COMMIT_MAX_ROWS: usize = 4096;

/// Pages in the log before it is copied back into the file: 16 MB of 4 KiB pages. Larger means fewer copies of hot pages.
pub const CHECKPOINT_PAGES: i32 = 4_000;
/// Pages by which a log that was not caught up with has grown before it is copied again.
pub const CHECKPOINT_STEP_PAGES: i32 = 1_000;
/// Pages in the log, 32 MB, from which on a commit copies by itself what is left: no stream outruns the disk for ever.
pub const CHECKPOINT_MAX_PAGES: i32 = 8_000;
/// How often one thread copies what came while it copied.
pub const CHECKPOINT_ROUNDS: usize = 8;

/// Decisions kept, newest first. At about 450 bytes a row, and never over 1 KB, this is 45 MB as a rule.
pub const DECISIONS_KEPT: i64 = 100_000;

/// Keys given for their first digits: more than one is a question back, and a person reads no more than these.
pub const KEYS_FOUND_MAX: usize = 8;

/// Refusals kept, newest first, apart from the decisions: whoever sends garbage with invented ids must not be able
/// to push the history of real blocks out.
pub const REFUSALS_KEPT: i64 = 10_000;

/// Marks of the seen-set kept, newest first: more than the intake holds in memory by default, so that a restart
/// forgets nothing the running peer still knew. 64 bytes a row.
pub const SEEN_KEPT: i64 = 131_072;

/// Inbox rows kept behind the cursor, for a look back and to recognise a late duplicate of a directed block.
pub const INBOX_READ_KEPT: i64 = 4_096;

/// Inbox rows waiting for a reader. Past it the oldest go (counted in `stats().inbox_dropped`): an application
/// that never reads must not be able to fill the disk.
pub const INBOX_UNREAD_MAX: i64 = 65_536;

/// Rows of the outbox waiting to be sent; past it `put_own` refuses.
pub const OUTBOX_PENDING_MAX: i64 = 65_536;

/// Done rows of the outbox kept for a look back, and for what their peers may still say of them.
pub const OUTBOX_DONE_KEPT: i64 = 16_384;

/// How long a record waits for its peer when its sender says nothing: receivers may refuse older directed ones.
pub const OUTBOX_WAIT_MS: u64 = 86_400_000;

/// Peers that something was addressed to, each with its own numbers: as many as there are bindings.
pub const STREAMS_MAX: i64 = 65_536;

/// Holes in what was addressed to this peer, newest kept: each was told when it was found.
pub const GAPS_KEPT: i64 = 4_096;

/// Bytes of one reason for an end, as it came or as an application said it.
pub const REASON_MAX_BYTES: usize = 200;

/// Recipients of one own record.
pub const RECIPIENTS_MAX: usize = 4_096;

/// Identities bound to a key. A stranger can make as many as he likes; past this bound the next is refused.
pub const BINDINGS_MAX: i64 = 65_536;

/// Names of the state table, and the size of one value: restart state is counters and windows, not documents.
pub const STATE_MAX_NAMES: i64 = 1_024;
/// Bytes of one state name.
pub const STATE_NAME_MAX_BYTES: usize = 128;
/// Bytes of one state value.
pub const STATE_VALUE_MAX_BYTES: usize = 4 << 20;

/// Woken keys kept, newest first. A block older than this many wakes cannot come back as new: the seen-set and
/// the records themselves are longer.
pub const WOKEN_KEPT: i64 = 65_536;

/// Candidate hits of one recall that are ranked. Past it the newest are returned and `capped` is set: ranking
/// reads every candidate, and a word that is everywhere ranks nothing.
pub const RECALL_CANDIDATES: usize = 1_000;
/// Records past which one of several words finds, but does not rank: to weigh a word, all records that hold it are
/// counted at each asking, a word of every record of a million for 50 ms; this many take about one.
pub const RECALL_RANKING: usize = 20_000;

/// Words of one recall query that are looked up.
pub const RECALL_MAX_TERMS: usize = 32;
/// Bytes of one recall query that are read.
pub const RECALL_MAX_BYTES: usize = 4_096;

/// Records one call of `index` adds to the recall index.
pub const INDEX_SLICE: i64 = 512;
/// Records indexed before it is looked whether a commit waits: some 80 µs.
pub const INDEX_STEP: i64 = 8;
/// Pages of the recall index that one call merges: a commit that comes meanwhile waits a millisecond for them, or two.
/// Behind a longer slice of forgetting it is as many times as many, up to 256.
pub const MERGE_PAGES: i64 = 8;
/// Records a recall indexes by itself before it looks, about 5 ms; where more wait, only if nobody is writing.
pub const INDEX_ON_RECALL: i64 = 256;

/// Rows one reading call returns at most, whatever its caller asks for.
pub const PAGE_MAX: usize = 10_000;

/// Anchors loaded into the intake after a restart at most.
pub const ANCHORS_MAX: usize = 16_384;

/// Newest records read by the kernel in use before a peer starts, where nothing of them is stored: with so many every one
/// is compared exactly, and they take some milliseconds. The others are read behind the intake.
pub const READ_AT_START: usize = 512;
/// Records that one call reads by the kernel in use and stores: some milliseconds of the writer.
pub const ENCODE_SLICE: usize = 128;

/// Scopes of shared state one peer keeps: its rooms, and classes of the agents it holds replicas of.
pub const SHARED_SCOPES_MAX: i64 = 1_024;
/// Bytes of one row of shared state: a snapshot of the largest replica the product keeps, with room to spare.
pub const SHARED_ROW_MAX_BYTES: usize = 134_217_728;
/// Rows one call writes: more than one turn of the engine leaves.
pub const SHARED_ROWS_MAX: usize = 4_096;

/// Entries an agent keeps for itself, over all classes: as many as one class may share, several times over.
pub const KEPT_MAX: i64 = 65_536;
/// Bytes of one such entry: what one register of shared state holds.
pub const KEPT_VALUE_MAX_BYTES: usize = 262_144;
/// Bytes of the name of a class, or of an entry in it: as for a register.
pub const KEPT_NAME_MAX_BYTES: usize = 512;

/// Entries of one diary: one a minute for two years.
pub const DIARY_MAX: i64 = 1_048_576;
/// Bytes of one sealed entry.
pub const DIARY_ENTRY_MAX_BYTES: usize = 65_600;

/// Lines of the log of what left, newest first; what goes is counted by the numbers that are missing.
pub const AUDIT_KEPT: i64 = 100_000;
/// Bytes of one such line.
pub const AUDIT_ENTRY_MAX_BYTES: usize = 65_536;

/// Authority statements kept: twice what a ledger holds at its usual bound, so that what waits for another pin fits too.
pub const STATEMENTS_MAX: i64 = 32_768;
/// Bytes of one statement: 64 targets of 69 characters and 16 signatures of 160 stay under 8 KiB.
pub const STATEMENT_MAX_BYTES: usize = 16_384;

/// Tasks kept, open and over: twice what an engine of Python keeps at its usual bounds.
pub const TASKS_MAX: i64 = 8_192;
/// Bytes of one task: what is asked, what came of it and its proof, each in JSON at its largest, and the story.
pub const TASK_MAX_BYTES: usize = 1_048_576;

/// Attestations kept, newest first: at 1 KB a row 32 MB. Chains are checked over what is held.
pub const ATTEST_ATTESTATIONS_KEPT: i64 = 32_768;
/// Checkpoints kept, newest first: eight attestations each.
pub const ATTEST_CHECKPOINTS_KEPT: i64 = 16_384;
/// Witnesses kept, newest first.
pub const ATTEST_WITNESSES_KEPT: i64 = 16_384;
/// Contradicting checkpoints kept, the first of each attester; past it no further one is added.
pub const ATTEST_EVIDENCE_MAX: i64 = 1_024;
/// Bytes of one frame: its longest members, names included, stay under 2 KiB.
pub const ATTEST_FRAME_MAX_BYTES: usize = 4_096;

/// Records that one call forgets where few come: p50 2.4 ms of the processor, p90 3.2, worst 7, of 300,000 with their full
/// text, of which half go; 23 at worst beside commits, where it had to copy the log all the same. What the full text merges
/// between two slices takes p50 under 0.1, p90 1.7, and once, when its largest piece is done with, 25. Beside such a pass,
/// which took 14.2 s, a commit of one block every five milliseconds took p50 2.3 ms, p90 4.2, p99 44, worst 205 (alone 0.7,
/// 0.9, 2.1 and 186); beside slices of 512, in which the full text merged too, on a busy machine 7.9, 69, 863 and 1,558.
/// (`cargo bench -p covey-store --bench forget -- --records 300000 commits`; the first figures with a clock of the thread
/// round each call, beside builds.)
pub const FORGET_SLICE: usize = 64;
/// Records that one call forgets at most, where blocks come in bulk: 77 ms at the middle pace above. With 1,024 eight in ten
/// slices of a peer that heard 4,000 a second were as long as they might be, not four times what came; and where archiving went
/// by 256 whatever came, too, it held 86,000 to 159,000.
pub const FORGET_SLICE_MOST: usize = 2_048;
/// Times what was stored since the slice before that a slice is: a store which is written to without a pause must get rid of
/// more than comes, and between its slices stand merging, archiving and the next search. A peer that heard 4,000 to 4,700
/// blocks a second, of which fifty thousand are to stay, held a million of 1.7 with slices of 64 alone; with twice what came
/// 97,000 to 104,000 in one run, and 137,000 of 1.1 million and ever more in another; with four times, and one call that merges
/// behind each, 55,000 to 85,000 (`benches.footprint --soak`).
pub const FORGET_TIMES: usize = 4;
/// Rows of all tables for each block of a slice, after which it ends, whatever its blocks: an author may name two thousand
/// parents in one, at two microseconds each, and sixty-four of those are a quarter of a second.
pub const FORGET_ROWS_EACH: usize = 16;
/// Turns of others that a slice of forgetting gives way to before it takes its own: where somebody always waits, it would
/// never come to its turn, and a store that is written to without a pause would grow. With sixteen it did: of blocks heard at
/// 2,300 a second, of which fifty thousand are to stay, 260,000 were held in 438 MB after a quarter of a million; with one
/// 62,000 to 106,000 in 264 MB from half to seven tenths of a million (`benches.footprint --soak 1000000`).
pub const GIVE_WAY_TURNS: usize = 1;
/// Old records that one page of the search before a pass looks at: some milliseconds, in which other readers wait.
pub const FORGET_LOOKED: usize = 1_024;
/// Records that one call archives where few come: at 7 us of the processor each, 2 ms; nothing of the full text changes.
pub const ARCHIVE_SLICE: usize = 256;
/// Records that one call archives at most, where blocks come in bulk: 14 ms.
pub const ARCHIVE_SLICE_MOST: usize = 2_048;
/// Records that one call carries out, as many as a page of an export asks for: at 18 us each 5 ms, in which other readers
/// wait and no writer.
pub const CARRY_SLICE: usize = 256;
/// Steps of blocks that authority made, newest kept: at 150 bytes a row 15 MB.
pub const MOVES_KEPT: i64 = 100_000;
/// Newest words about blocks that are looked through for those about own ones.
pub const FEEDBACK_LOOKED: i64 = 1_000;
/// Rows a filtered recall looks at, newest first, before it says that it was capped: about 20 ms of random pages.
pub const FIND_LOOKED: i64 = 2_000;
/// Rows of them that a filter reads at once, before it asks whether enough were found.
pub const FIND_SLICE: usize = 128;
/// Blocks of one lineage that a recall follows.
pub const FIND_LINEAGE: i64 = 1_000;
