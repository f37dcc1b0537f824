//! Every bound of the native core, named, each with its reason or source.

/// Largest frame, length prefix excluded (MMP 2.0 §4.2).
pub const MAX_FRAME_BYTES: usize = 1_048_576;
/// Largest text of one category, UTF-8 after NFC (§8.8.6, update 1).
pub const MAX_CATEGORY_TEXT_BYTES: usize = 262_144;
/// Largest sum of the seven texts (§8.8.6, update 1).
pub const MAX_RECORD_TEXT_BYTES: usize = 524_288;
/// Largest record by RFC 8785 length (§8.8.6, update 1), so that its sealed form fits one frame.
pub const MAX_RECORD_BYTES: usize = 737_280;
/// Lines of blocks that one call drafts and signs: some 30 ms on one core, and one transaction of the store.
pub const MAX_LINES: usize = 1_024;
/// Bytes of them: 4 KiB each, and several of the largest blocks there are.
pub const MAX_LINES_BYTES: usize = 4_194_304;
/// Largest sealed payload in characters: `ceil(4 * (737_280 + 16) / 3)` (update 1).
pub const MAX_SEALED_CHARS: usize = 983_062;
/// Largest decoded application payload (§8.8.3).
pub const MAX_APPLICATION_BYTES: usize = 524_288;
/// Most parents of a record or of one category (update 1 schema).
pub const MAX_PARENTS: usize = 256;
/// Longest entry in a category's parents, in code points (update 1 schema).
pub const MAX_PARENT_CHARS: usize = 256;
/// Longest `createdBy`, in code points (update 1 schema).
pub const MAX_AUTHOR_CHARS: usize = 256;
/// Longest peer name in UTF-8 bytes (§3.1).
pub const MAX_NAME_BYTES: usize = 64;
/// Longest room identifier (§5.8).
pub const MAX_ROOM_BYTES: usize = 64;
/// Deepest JSON nesting that any parser fed by a peer follows (as deployed peers bound it).
pub const MAX_JSON_DEPTH: usize = 128;
/// Largest integer that every JSON implementation carries exactly (RFC 8259 §6).
pub const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;
/// Longest media type or application schema; both travel in every envelope in the clear.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;
/// Longest application schema identifier in bytes, room for any sane URI.
pub const MAX_SCHEMA_BYTES: usize = 2_048;
/// Most records in one event of a session, and judged in one call: one socket read's worth, so that no call holds a
/// core for long.
pub const MAX_INTAKE_BATCH: usize = 256;
/// Bytes of records from which on a compact batch is sent: some sixty usual blocks, of which each saves less.
pub const COMPACT_BATCH_BYTES: usize = 65_536;
/// Anchors a block is compared with, unless stated: the reference's five most recent (§9.2.1, policy).
pub const ANCHOR_WINDOW: usize = 5;
/// Blocks that covey's own path chooses from: at about 3 KB each this is 12 MB, and their sketches turned round take 0.3.
pub const MEMORY_WINDOW: usize = 4_096;
/// Of so many held blocks every one is compared exactly; of more, a sketch says which.
pub const SCANNED_EXACTLY: usize = 512;
/// Blocks compared exactly where the sketches choose: three support a category, the others are for its errors.
pub const CANDIDATES: usize = 128;
/// Among them always the newest: what was said just now is what a thread is about.
pub const CANDIDATES_NEWEST: usize = 16;
/// Of them at most so many by one author, where others have as many: half, so that whoever writes most cannot choose alone
/// what a block is compared with, and two peers that talk lose nothing.
pub const CANDIDATES_OF_ONE: usize = CANDIDATES / 2;
/// Most anchors a receiver may ask for: the packed matrix of them takes 30 MB.
pub const MAX_ANCHOR_WINDOW: usize = 16_384;
/// Blocks remembered as judged, unless stated: two hours of one session at 8 new blocks a second; about 10 MB full.
/// Older ones are still known to the store.
pub const SEEN_CAPACITY: usize = 65_536;
/// Most blocks a receiver may ask to remember as judged; 160 MB full.
pub const MAX_SEEN_CAPACITY: usize = 1_048_576;
/// Reports of one author that one block held, or did not, taken in an hour (§6.7): one each few minutes, as a build runs.
pub const GROUNDINGS_PER_TARGET: u32 = 16;
/// That hour, in milliseconds.
pub const GROUNDING_WINDOW_MS: u64 = 3_600_000;
/// Authors and targets whose reports are counted, the oldest forgotten: 500 KB.
pub const GROUNDING_PAIRS: usize = 4_096;
/// Judged blocks whose effects can still be taken back exactly: more than a node lets wait for its store (8,192), and
/// one call.
pub const ROLLBACK_SPAN: usize = 8_448;
/// How long effects can be taken back, in milliseconds: longer than any store takes to answer or to fail. Beyond, a
/// peer that hears little keeps nothing for it.
pub const ROLLBACK_GRACE_MS: u64 = 60_000;
/// Authors whose keys are kept at hand; about 4 MB. Further ones are refused, never swapped for known ones.
pub const MAX_BINDINGS: usize = 16_384;
/// Signatures of one key that held before multiples of its point are kept: making them costs as much as a hundred
/// checks save.
pub const TABLE_AFTER: u32 = 256;
/// Keys with such a table, 220 KB each: 14 MB. The keys of further busy authors are checked without.
pub const KEY_TABLES: usize = 64;
/// Oldest directed record that is still acted on, in milliseconds by its signed time (as deployed peers bound it).
pub const MAX_DIRECTED_AGE_MS: u64 = 86_400_000;
/// Furthest a signed time may lie ahead, in milliseconds. A clock set to the wrong zone is off by up to 14 hours; a
/// record dated years ahead would stay fresh for years.
pub const MAX_FUTURE_MS: u64 = 86_400_000;
/// Most nodes in one vector clock: the largest room a peer keeps shared state with; 24 KiB.
pub const MAX_CLOCK_ENTRIES: usize = 1_024;
/// Longest handshake frame: twice what the caps below can fill, and all a stranger can make us hold before a proof.
pub const MAX_HANDSHAKE_FRAME_BYTES: usize = 16_384;
/// Most extensions one side may offer; a peer that speaks more is outside this build's trust anyway.
pub const MAX_EXTENSIONS: usize = 64;
/// Longest extension token in bytes.
pub const MAX_EXTENSION_BYTES: usize = 64;
/// Most keys in one `cmb-anchors` (update 1, §9.4).
pub const MAX_ANCHOR_KEYS: usize = 50;
/// Most keys in one list of a `cmb-fetch-result` (update 1 schema).
pub const MAX_FETCH_KEYS: usize = 256;
/// Most peers in one `peer-info` (control-frame schema).
pub const MAX_PEER_INFO: usize = 4_096;
/// Longest `message` of an error frame, in code points (control-frame schema).
pub const MAX_ERROR_MESSAGE_CHARS: usize = 1_024;
/// Longest `detail` of an error frame, and context of a mood, in code points (control-frame schema).
pub const MAX_DETAIL_CHARS: usize = 4_096;
/// Links from the anchor to the deepest statement (§6.6.3).
pub const MAX_DELEGATION_DEPTH: usize = 4;
/// Statements one grant keeps in force (§6.6.6).
pub const GRANT_QUOTA: usize = 256;
/// Of them, grants of a role that signs statements itself (§6.6.6).
pub const DELEGATE_QUOTA: usize = 16;
/// Statements the anchor keeps in force (§6.6.6).
pub const ANCHOR_QUOTA: usize = 4_096;
/// Most keys of an anchor, and most signatures of one statement (§6.6.1).
pub const MAX_ANCHOR_MEMBERS: usize = 16;
/// Most statements one revoke or endorse names (authority-frame schema).
pub const MAX_STATEMENT_TARGETS: usize = 64;
/// Longest extension role (authority-frame schema).
pub const MAX_ROLE_BYTES: usize = 64;
/// Longest scope (authority-frame schema).
pub const MAX_SCOPE_BYTES: usize = 256;
/// Most statements or ids in one frame (authority-frame schema).
pub const AUTHORITY_PAGE: usize = 64;
/// Longest id of a question, in code points (authority-frame schema).
pub const MAX_REQUEST_CHARS: usize = 128;
/// Longest cursor, in code points (authority-frame schema).
pub const MAX_CURSOR_CHARS: usize = 128;
/// What checking an unknown key costs, in signature checks: one scalar multiplication by the group order, about
/// fifteen times a check.
pub const KEY_CHECK_COST: u32 = 16;
/// Statements a node holds, unless stated: three times what one anchor's direct quota and its delegates fill; 30 MB.
pub const STATEMENT_CAPACITY: usize = 16_384;
/// Longest a room-join grant may last, in milliseconds (update 1, §5.8.1).
pub const MAX_GRANT_MS: u64 = 86_400_000;
/// How far clocks may differ where a grant's times are judged, in milliseconds (update 1, §5.8.1).
pub const GRANT_SKEW_MS: u64 = 300_000;
/// Attestations that may wait for one checkpoint: many times the eight after which one is due; 64 KiB of state.
pub const MAX_ATTEST_SEGMENT: usize = 1_024;
/// Longest name in a tether attestation, in bytes: keys and node ids have at most 68, kernel ids are short.
pub const MAX_TETHER_NAME_BYTES: usize = 128;
/// Furthest a shared-state clock may lie ahead of ours, in milliseconds: more than machines that keep time are apart, and
/// all that a lying clock can win.
pub const MAX_STATE_DRIFT_MS: u64 = 60_000;
/// Longest name of a shared state in bytes.
pub const MAX_STATE_SCOPE_BYTES: usize = 256;
/// Longest name of a register, counter or set, or element of a set, in bytes.
pub const MAX_STATE_NAME_BYTES: usize = 512;
/// Longest slot: a set's name, an element, a tag and their lengths.
pub const MAX_STATE_SLOT_BYTES: usize = 2 * MAX_STATE_NAME_BYTES + 32;
/// Largest value of a register: a few fit one frame.
pub const MAX_STATE_VALUE_BYTES: usize = 262_144;
/// Most operations under one signature: a proof is at most 12 digests long.
pub const MAX_FLUSH_OPS: usize = 4_096;
/// Most bytes of operations under one signature, so that a delta of it, written as text and sealed, fits one frame.
pub const MAX_FLUSH_BYTES: usize = 393_216;
/// Most flushes in one delta: one of each slot's own in what a frame holds, many times over.
pub const MAX_DELTA_FLUSHES: usize = 65_536;
/// Largest delta read in one piece; what travels is far smaller.
pub const MAX_DELTA_BYTES: usize = 134_217_728;
/// Most slots of one replica, deleted ones included.
pub const MAX_STATE_ENTRIES: usize = 1_048_576;
/// Most bytes of operations one replica holds; places in them fit 32 bits.
pub const MAX_STATE_BYTES: usize = 536_870_912;
/// Most flushes one replica holds; each takes about 300 bytes and 24 for every author it had seen. Those that nothing
/// stands of go once every member has seen them.
pub const MAX_STATE_FLUSHES: usize = 262_144;
/// Most spans that wait for what lies before them; what is dropped is sent again when digests are compared.
pub const MAX_WAITING_SPANS: usize = 4_096;
/// Receipts of one frame: those of one batch.
pub const RECEIPTS_PER_FRAME: usize = 256;
/// Longest reason in a receipt, in characters: admission's explanation in one line, its longest list cut.
pub const RECEIPT_REASON_CHARS: usize = 200;
/// Longest invite in characters: four relays, the longest token and a grant stay under half of it.
pub const MAX_INVITE_CHARS: usize = 32_768;
/// Longest an invite may last, in milliseconds: thirty days; it carries a relay's token.
pub const MAX_INVITE_MS: u64 = 2_592_000_000;
/// Most relays of one invite: what one peer is connected to at once.
pub const MAX_INVITE_RELAYS: usize = 4;
/// Most addresses of one invite: a host has a few interfaces.
pub const MAX_INVITE_ADDRESSES: usize = 8;
/// Longest address of a relay in an invite, in bytes.
pub const MAX_INVITE_URL_BYTES: usize = 2_048;
/// Longest `host:port` in an invite, in bytes: the longest host name, a scope and a port.
pub const MAX_INVITE_ADDRESS_BYTES: usize = 300;
/// Longest relay token (relay-frame schema), in bytes.
pub const MAX_RELAY_TOKEN_BYTES: usize = 4_096;
