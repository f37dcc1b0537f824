//! Blocks waiting for the application: one monotone sequence, one persisted cursor.
//!
//! A block that memory took is a pointer here; a directed block that memory did not take is held whole.

use std::collections::{BTreeMap, BTreeSet};

use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::record::Proof;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Transaction, params};

use crate::decisions::judgement_by_id;
use crate::error::{Fault, StoreError, StoreReason};
use crate::evidence::{COLUMNS, parse};
use crate::judgement::Judgement;
use crate::limits::{INBOX_READ_KEPT, INBOX_UNREAD_MAX, PAGE_MAX};
use crate::recall::sql_count;
use crate::records::{HELD, StoredRecord, stored};
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// One block for the application.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxRow {
    /// Its place in the sequence; also the cursor that acknowledges it and everything before.
    pub seq: i64,
    /// The block. Its `stored_ms` is the time of receipt when memory did not take it.
    pub record: StoredRecord,
    /// The peer whose session carried it.
    pub from_node_id: NodeId,
    /// Receiver's time, milliseconds since the epoch.
    pub received_ms: u64,
    /// Memory took it.
    pub ingested: bool,
    /// It was addressed to this peer.
    pub directed: bool,
    /// Its author may wake an agent here.
    pub wakes: bool,
    /// Its place among all that its sender addressed to this peer, where the sender said so.
    pub number: Option<u64>,
    /// After this it should not be acted on any more.
    pub expires_ms: Option<u64>,
    /// How the application ended it: executed, unexecuted or expired.
    pub finished: Option<String>,
    /// What admission said, while the decision is kept.
    pub judgement: Option<Judgement>,
}

/// What a commit is told about the blocks of one batch, beyond what they say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attention {
    /// Authors whose blocks may wake an agent.
    pub wakers: BTreeSet<NodeId>,
    /// Keys that wake nobody: replayed or fetched context.
    pub context: BTreeSet<ContentKey>,
    /// The stream that the numbers belong to.
    pub stream: String,
    /// What the sender numbered, and when it expires there.
    pub numbers: BTreeMap<AssertionId, (u64, Option<u64>)>,
}

/// What goes into the inbox.
pub(crate) struct Arrival {
    pub(crate) key: ContentKey,
    pub(crate) assertion: AssertionId,
    pub(crate) from: NodeId,
    pub(crate) received_ms: u64,
    pub(crate) ingested: bool,
    pub(crate) directed: bool,
    pub(crate) decision_id: i64,
    pub(crate) proof: Proof,
    /// The canonical JSON, where no record row holds it.
    pub(crate) evidence: Option<String>,
    pub(crate) wakes: bool,
    /// Stream, number, and when it expires.
    pub(crate) numbered: Option<(String, u64, Option<u64>)>,
}

impl Store {
    /// Returns rows behind `cursor`, oldest first.
    pub fn inbox(&self, cursor: i64, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        self.read(|view| {
            let page = params![cursor, sql_count(limit.min(PAGE_MAX))];
            select(view, "WHERE i.seq > ?1 ORDER BY i.seq LIMIT ?2", page)
        })
    }

    /// Acknowledges everything up to and including `cursor`. The cursor never goes back.
    pub fn inbox_ack(&self, cursor: i64) -> Result<(), StoreError> {
        self.write(|transaction| {
            let last = last_seq(transaction)?;
            if cursor < 0 || cursor > last {
                return Err(Fault::new(StoreReason::Input, format!("inbox cursor: {cursor}; the last row is {last}")));
            }
            transaction
                .prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE name = 'cursor'")?
                .execute([cursor])?;
            transaction
                .prepare_cached("DELETE FROM inbox WHERE seq <= (SELECT value FROM meta WHERE name = 'cursor') - ?1")?
                .execute([INBOX_READ_KEPT])?;
            Ok(())
        })
    }

    /// Returns the acknowledged cursor, 0 at first.
    pub fn inbox_cursor(&self) -> Result<i64, StoreError> {
        self.read(cursor)
    }
}

/// Returns the rows that a condition names.
pub(crate) fn select(view: &Connection, condition: &str, values: impl Params) -> Result<Vec<InboxRow>, Fault> {
    let mut statement = view.prepare_cached(&format!(
        "SELECT i.seq, i.from_node_id, i.received_ms, i.ingested, i.directed, i.decision_id, i.evidence, i.key,
           i.proof, i.wakes, i.number, i.expires_ms, i.finished, {COLUMNS}, {HELD}
         FROM inbox i LEFT JOIN records r ON r.key = i.key AND i.evidence IS NULL {condition}"
    ))?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(inbox_row(view, row)?);
    }
    Ok(found)
}

/// Returns the acknowledged cursor.
pub(crate) fn cursor(view: &Connection) -> Result<i64, Fault> {
    Ok(view.prepare_cached("SELECT value FROM meta WHERE name = 'cursor'")?.query_row([], |row| row.get(0))?)
}

/// Returns how many rows wait behind the cursor.
pub(crate) fn unread(view: &Connection) -> Result<i64, Fault> {
    let cursor = cursor(view)?;
    Ok(view.prepare_cached("SELECT count(*) FROM inbox WHERE seq > ?1")?.query_row([cursor], |row| row.get(0))?)
}

/// Returns the newest sequence number ever given, 0 at first.
pub(crate) fn last_seq(view: &Connection) -> Result<i64, Fault> {
    let last: Option<i64> = view
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'inbox'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(0))
}

/// Says whether a directed assertion is in the inbox already.
pub(crate) fn holds_directed(transaction: &Transaction<'_>, assertion: AssertionId) -> Result<bool, Fault> {
    Ok(transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM inbox WHERE assertion = ?1 AND directed = 1)")?
        .query_row([assertion.as_bytes()], |row| row.get(0))?)
}

/// Appends blocks, by one statement for a whole transaction.
pub(crate) struct Mail<'t> {
    transaction: &'t Transaction<'t>,
    put: CachedStatement<'t>,
}

impl<'t> Mail<'t> {
    pub(crate) fn of(transaction: &'t Transaction<'t>) -> Result<Self, Fault> {
        let put = transaction.prepare_cached(
            "INSERT INTO inbox (key, assertion, from_node_id, received_ms, ingested, directed, decision_id, evidence,
               proof, wakes, stream, number, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        Ok(Self { transaction, put })
    }

    /// Appends one block and returns its place.
    pub(crate) fn append(&mut self, arrival: &Arrival) -> Result<i64, Fault> {
        self.put.execute(params![
            arrival.key.as_bytes(),
            arrival.assertion.as_bytes(),
            arrival.from.spell(&mut [0; 36]),
            sql_ms(arrival.received_ms),
            arrival.ingested,
            arrival.directed,
            arrival.decision_id,
            arrival.evidence,
            arrival.proof.as_str(),
            arrival.wakes,
            arrival.numbered.as_ref().map(|(stream, _, _)| stream),
            arrival.numbered.as_ref().map(|(_, number, _)| sql_ms(*number)),
            arrival.numbered.as_ref().and_then(|(_, _, expires)| expires.map(sql_ms)),
        ])?;
        Ok(self.transaction.last_insert_rowid())
    }
}

/// Drops the oldest unread rows past the bound, and counts them.
pub(crate) fn bound(transaction: &Transaction<'_>) -> Result<(), Fault> {
    let floor = last_seq(transaction)? - INBOX_UNREAD_MAX;
    if floor <= cursor(transaction)? {
        return Ok(());
    }
    let dropped = transaction
        .prepare_cached("DELETE FROM inbox WHERE seq <= ?1 AND seq > (SELECT value FROM meta WHERE name = 'cursor')")?
        .execute([floor])?;
    transaction
        .prepare_cached("UPDATE meta SET value = value + ?1 WHERE name = 'inbox_dropped'")?
        .execute([sql_count(dropped)])?;
    Ok(())
}

fn inbox_row(view: &Connection, row: &Row<'_>) -> Result<InboxRow, Fault> {
    let seq: i64 = row.get(0)?;
    let from: String = row.get(1)?;
    let received_ms = read_ms(row, 2)?;
    Ok(InboxRow {
        seq,
        record: record_behind(row, seq, received_ms)?,
        from_node_id: NodeId::parse(&from).map_err(|_| Fault::malformed("node id", seq))?,
        received_ms,
        ingested: row.get(3)?,
        directed: row.get(4)?,
        wakes: row.get(9)?,
        number: optional(row, 10)?,
        expires_ms: optional(row, 11)?,
        finished: row.get(12)?,
        judgement: judgement_by_id(view, row.get(5)?)?,
    })
}

fn optional(row: &Row<'_>, at: usize) -> Result<Option<u64>, Fault> {
    row.get::<_, Option<i64>>(at)?.map(|_| read_ms(row, at)).transpose()
}

/// Where the record's columns begin in a selected row.
const RECORD_AT: usize = 13;

/// The record of a row: its own, where memory did not take it, or memory's.
fn record_behind(row: &Row<'_>, seq: i64, received_ms: u64) -> Result<StoredRecord, Fault> {
    let bad = || Fault::malformed("record behind the inbox", seq);
    let evidence: Option<String> = row.get(6)?;
    let key = ContentKey::from_bytes(row.get(7)?);
    let record = match evidence {
        Some(json) => {
            let proof: String = row.get(8)?;
            let proof = Proof::parse(&proof).ok_or_else(bad)?;
            StoredRecord { proof, ..StoredRecord::observed(parse(&json).ok_or_else(bad)?, received_ms) }
        }
        None if row.get::<_, Option<i64>>(RECORD_AT)?.is_none() => return Err(bad()),
        None => stored(row, RECORD_AT)?,
    };
    if record.key == key { Ok(record) } else { Err(bad()) }
}
