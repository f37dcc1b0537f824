//! The schema, its version, and the way forward from older ones.
//!
//! Rules: a released statement list is never edited; a change is a new step at the end of `STEPS`. All steps that
//! a file lacks run in one transaction with its new version number, so a crash leaves the old or the new schema.

use rusqlite::{Connection, Transaction, params};

use crate::error::{Fault, StoreReason};

/// Marks a covey store among `SQLite` files: the ASCII letters "covy".
pub(crate) const APPLICATION_ID: i32 = 0x636f_7679;

/// What this build reads and writes.
pub const SCHEMA_VERSION: i32 = STEPS_COUNT;

const STEPS: [&str; 11] = [
    VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7, VERSION_8, VERSION_9, VERSION_10,
    VERSION_11,
];
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a handful of steps")]
const STEPS_COUNT: i32 = STEPS.len() as i32;

/// A record is its columns: its canonical JSON is made of them again, byte for byte, and what the columns cannot say
/// (application bytes, parents of single categories) brings the whole JSON along as `evidence`. Keys and assertion ids
/// are their 32 bytes, without prefix; `parents` are such keys one behind the other.
const VERSION_1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE,
  assertion BLOB NOT NULL,
  signature BLOB NOT NULL,
  author_node_id TEXT NOT NULL,
  author TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  room TEXT NOT NULL,
  to_node_id TEXT,
  parents BLOB NOT NULL,
  focus TEXT NOT NULL,
  issue TEXT NOT NULL,
  intent TEXT NOT NULL,
  motivation TEXT NOT NULL,
  commitment TEXT NOT NULL,
  perspective TEXT NOT NULL,
  mood TEXT NOT NULL,
  evidence TEXT,
  stored_ms INTEGER NOT NULL,
  own INTEGER NOT NULL,
  decision TEXT,
  decision_id INTEGER,
  lifecycle TEXT NOT NULL,
  proof TEXT NOT NULL
) STRICT;
CREATE INDEX records_by_author ON records (author_node_id, id);

CREATE TABLE lineage (
  child INTEGER NOT NULL,
  parent BLOB NOT NULL,
  levels INTEGER NOT NULL,
  PRIMARY KEY (child, parent)
) WITHOUT ROWID, STRICT;
CREATE INDEX lineage_by_parent ON lineage (parent, child);

CREATE TABLE decisions (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  key BLOB NOT NULL,
  assertion BLOB NOT NULL,
  author_node_id TEXT NOT NULL,
  from_node_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  decision TEXT NOT NULL,
  total_drift REAL NOT NULL,
  field_drift REAL NOT NULL,
  temporal_drift REAL NOT NULL,
  nearest_drift REAL NOT NULL,
  categories BLOB NOT NULL,
  linked INTEGER NOT NULL
) STRICT;
CREATE INDEX decisions_by_key ON decisions (key, id) WHERE linked = 0;

CREATE TABLE refusals (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  key BLOB NOT NULL,
  assertion BLOB NOT NULL,
  author_node_id TEXT NOT NULL,
  from_node_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX refusals_by_key ON refusals (key, id);

CREATE TABLE inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL,
  assertion BLOB NOT NULL,
  from_node_id TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  ingested INTEGER NOT NULL,
  directed INTEGER NOT NULL,
  decision_id INTEGER NOT NULL,
  evidence TEXT,
  proof TEXT NOT NULL
) STRICT;
CREATE INDEX inbox_directed ON inbox (assertion) WHERE directed = 1;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  assertion BLOB NOT NULL,
  key BLOB NOT NULL,
  node_id TEXT NOT NULL,
  queued_ms INTEGER NOT NULL,
  done_ms INTEGER,
  UNIQUE (assertion, node_id)
) STRICT;
CREATE INDEX outbox_pending ON outbox (node_id, id) WHERE done_ms IS NULL;

CREATE TABLE seen (
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, held INTEGER NOT NULL, mark BLOB NOT NULL
) STRICT;

CREATE TABLE bindings (
  node_id TEXT PRIMARY KEY,
  public_key BLOB NOT NULL,
  name TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE woken (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE) STRICT;

CREATE VIRTUAL TABLE recall USING fts5 (
  focus, issue, intent, motivation, commitment, perspective, mood,
  content = 'records', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
";

/// Shared state (per scope a snapshot and what came after it), what the agent keeps for itself by class, its sealed
/// diary, and the signed log of what left.
const VERSION_2: &str = "
CREATE TABLE shared (
  id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, kind INTEGER NOT NULL, bytes BLOB NOT NULL
) STRICT;
CREATE INDEX shared_by_scope ON shared (scope, id);

CREATE TABLE kept (
  class TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (class, name)
) WITHOUT ROWID, STRICT;

CREATE TABLE diary (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE INDEX diary_by_time ON diary (at_ms, id);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, entry BLOB NOT NULL, signature BLOB NOT NULL
) STRICT;
";

/// What others signed about each other: authority (§6.6) and attestations (§16.4). Ids and frames are text and bytes as
/// they were signed, so that judging them again needs nothing of this schema.
const VERSION_3: &str = "
CREATE TABLE authority (id TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE attest (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  signer TEXT NOT NULL,
  stored_ms INTEGER NOT NULL,
  frame BLOB NOT NULL
) STRICT;
CREATE INDEX attest_by_kind ON attest (kind, id);
";

/// What was addressed to one peer is numbered and followed to its end, at both sides; a block that may wake an agent
/// says so. What an older covey left in its outbox is numbered in its order, and waits a day like anything else.
const VERSION_4: &str = "
ALTER TABLE inbox ADD COLUMN wakes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE inbox ADD COLUMN stream TEXT;
ALTER TABLE inbox ADD COLUMN number INTEGER;
ALTER TABLE inbox ADD COLUMN expires_ms INTEGER;
ALTER TABLE inbox ADD COLUMN finished TEXT;
ALTER TABLE inbox ADD COLUMN finished_why TEXT;
CREATE INDEX inbox_numbers ON inbox (from_node_id, number) WHERE number IS NOT NULL;

ALTER TABLE outbox ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN deadline_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN state TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE outbox ADD COLUMN reason TEXT;
ALTER TABLE outbox ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN evidence TEXT;
UPDATE outbox SET
  closed = done_ms IS NOT NULL,
  deadline_ms = queued_ms + 86400000,
  number = (SELECT count(*) FROM outbox o WHERE o.node_id = outbox.node_id AND o.id <= outbox.id);
CREATE UNIQUE INDEX outbox_numbers ON outbox (node_id, number);
CREATE INDEX outbox_open ON outbox (deadline_ms) WHERE closed = 0;

CREATE TABLE streams_out (node_id TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID, STRICT;
INSERT INTO streams_out SELECT node_id, max(number) FROM outbox GROUP BY node_id;
INSERT INTO meta (name, value) VALUES ('stream', lower(hex(randomblob(16))));

CREATE TABLE streams_in (
  node_id TEXT PRIMARY KEY, stream TEXT NOT NULL, cursor INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE gaps (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  node_id TEXT NOT NULL,
  stream TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  late INTEGER NOT NULL,
  reason TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  after_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX gaps_by_place ON gaps (after_seq, id);
";

/// A decision says what it rests on; those of an older covey do not.
const VERSION_5: &str = "
ALTER TABLE decisions ADD COLUMN basis BLOB;
";

/// Blocks have a lifecycle with a clock, are found by time and by state, and what they say of others is found by whom
/// they speak of. What an older covey stored is read once for that, by the form that the core reads.
const VERSION_6: &str = "
ALTER TABLE records ADD COLUMN active_ms INTEGER NOT NULL DEFAULT 0;
UPDATE records SET active_ms = stored_ms;
CREATE INDEX records_by_activity ON records (lifecycle, active_ms);
CREATE INDEX records_by_time ON records (stored_ms);

CREATE TABLE feedback (
  child INTEGER NOT NULL, target BLOB NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (child, target)
) WITHOUT ROWID, STRICT;
CREATE INDEX feedback_by_target ON feedback (target, child);
INSERT INTO feedback (child, target, kind)
  SELECT r.id, l.parent, CASE WHEN r.commitment GLOB 'verified:*' THEN 'verified' ELSE 'failed' END
  FROM records r JOIN lineage l ON l.child = r.id AND l.levels >= 128
  WHERE r.proof = 'signature' AND r.intent = 'ground'
    AND (r.commitment GLOB 'verified:*' OR r.commitment GLOB 'failed:*');

CREATE TABLE moves (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  key BLOB NOT NULL,
  moved_from TEXT NOT NULL,
  moved_to TEXT NOT NULL,
  by_node_id TEXT NOT NULL,
  because BLOB NOT NULL
) STRICT;
CREATE INDEX moves_by_key ON moves (key, id);
INSERT INTO meta (name, value) VALUES ('feedback_upto', 0);
";

/// Tasks that this peer handed out, each as its submitter's engine wrote it, in the order they were submitted.
const VERSION_7: &str = "
CREATE TABLE tasks (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, json BLOB NOT NULL) STRICT;
";

/// What a kernel read of the newest records, beside the kernel's id: of each record by one kernel, the last that was used.
const VERSION_8: &str = "
CREATE TABLE vectors (record INTEGER PRIMARY KEY, kernel TEXT NOT NULL, traces BLOB NOT NULL) STRICT;
";

/// The full text is written in small pieces, each a segment of its own: it may have more of them before they are merged,
/// and each is written fewer times. A setting of the index, so that the step takes as long on a million records as on none.
/// Where the newest records were forgotten their places are given again, and what looks behind a place must step back.
const VERSION_9: &str = "
INSERT INTO recall (recall, rank) VALUES ('automerge', 16);
INSERT INTO recall (recall, rank) VALUES ('crisismerge', 64);
UPDATE meta SET value = min(value, (SELECT coalesce(max(id), 0) FROM records))
  WHERE name IN ('indexed_upto', 'feedback_upto');
";

/// The index of full text marks what is forgotten, and leaves it out when pieces of which four tenths are marked are
/// merged. Before, forgetting wrote every word of a block once more, and both stayed until the oldest pieces were merged:
/// of 115,000 blocks held after 1.1 million had passed through, the index was 357 MB of a store of 514.
/// What is held is indexed anew behind the commits, and a recall says meanwhile how much it lacks.
const VERSION_10: &str = "
DROP TABLE recall;
CREATE VIRTUAL TABLE recall USING fts5 (
  focus, issue, intent, motivation, commitment, perspective, mood,
  content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO recall (recall, rank) VALUES ('automerge', 16);
INSERT INTO recall (recall, rank) VALUES ('crisismerge', 64);
INSERT INTO recall (recall, rank) VALUES ('deletemerge', 40);
UPDATE meta SET value = 0 WHERE name = 'indexed_upto';
";

/// Pieces of the full text are merged between commits, a few pages at a time, as soon as eight wait; only where nothing
/// gives way are sixteen merged with the commit that adds the last.
const VERSION_11: &str = "
INSERT INTO recall (recall, rank) VALUES ('usermerge', 8);
";

/// Every table that the current version has; a file that lacks one was changed by something else.
const EXPECTED: [&str; 25] = [
    "attest",
    "audit",
    "authority",
    "bindings",
    "decisions",
    "diary",
    "feedback",
    "gaps",
    "inbox",
    "kept",
    "lineage",
    "meta",
    "moves",
    "outbox",
    "recall",
    "records",
    "refusals",
    "seen",
    "shared",
    "state",
    "streams_in",
    "streams_out",
    "tasks",
    "vectors",
    "woken",
];

/// What an opened file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) application_id: i32,
    pub(crate) version: i32,
}

/// Refuses a stamp of another program or of a newer covey. `empty` says that the file has no table yet.
pub(crate) fn check_stamp(stamp: Stamp, empty: bool) -> Result<(), Fault> {
    if empty && stamp.application_id == 0 && stamp.version == 0 {
        return Ok(());
    }
    if stamp.application_id != APPLICATION_ID {
        return Err(Fault::new(StoreReason::Foreign, "this is a database of another program; name another file"));
    }
    if stamp.version > SCHEMA_VERSION {
        return Err(Fault::new(
            StoreReason::Newer,
            format!(
                "written by a newer covey: schema {}, this one reads up to {SCHEMA_VERSION}; upgrade covey",
                stamp.version
            ),
        ));
    }
    if stamp.version < 1 {
        return Err(Fault::new(StoreReason::Corrupt, format!("schema version out of range: {}", stamp.version)));
    }
    Ok(())
}

/// Reads the stamp and whether the file has any table, through the log if there is one.
pub(crate) fn read_stamp(connection: &Connection) -> Result<(Stamp, bool), Fault> {
    let application_id = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    Ok((Stamp { application_id, version }, objects == 0))
}

/// Brings a checked file to the current version and binds a new one to `node_id`.
pub(crate) fn migrate(connection: &mut Connection, node_id: &str) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let (stamp, empty) = read_stamp(&transaction)?;
    check_stamp(stamp, empty)?;
    let done =
        usize::try_from(stamp.version).map_err(|_| Fault::new(StoreReason::Corrupt, "schema version out of range"))?;
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    if done < STEPS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    if empty {
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES ('node_id', ?1), ('cursor', 0), ('indexed_upto', 0), ('inbox_dropped', 0)",
            params![node_id],
        )?;
    }
    check_objects(&transaction)?;
    check_owner(&transaction, node_id)?;
    transaction.commit()?;
    Ok(())
}

fn check_objects(transaction: &Transaction<'_>) -> Result<(), Fault> {
    let mut statement = transaction.prepare("SELECT count(*) FROM sqlite_master WHERE name = ?1 AND type = 'table'")?;
    for name in EXPECTED {
        let found: i64 = statement.query_row([name], |row| row.get(0))?;
        if found != 1 {
            return Err(Fault::new(
                StoreReason::Corrupt,
                format!("table {name} is missing; the file was changed by something else"),
            ));
        }
    }
    Ok(())
}

fn check_owner(transaction: &Transaction<'_>, node_id: &str) -> Result<(), Fault> {
    let owner: String = transaction.query_row("SELECT value FROM meta WHERE name = 'node_id'", [], |row| row.get(0))?;
    if owner == node_id {
        return Ok(());
    }
    Err(Fault::new(StoreReason::OtherPeer, format!("belongs to another peer: {owner}; one peer has one store")))
}

#[cfg(test)]
mod tests;
