//! This peer's own records, and to whom each must still go.
//!
//! What is addressed to one peer has a number of its own there, without holes, in the order it was stored; the numbers
//! of one store belong to one stream, whose name was drawn at random, so that a new store is not taken for the old one.

use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::intake::SeenId;
use covey_core::record::{Proof, Record, Verified};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::evidence::{self, COLUMNS};
use crate::limits::{
    COMMIT_MAX_ROWS, OUTBOX_DONE_KEPT, OUTBOX_PENDING_MAX, OUTBOX_WAIT_MS, PAGE_MAX, RECIPIENTS_MAX, STREAMS_MAX,
};
use crate::recall::sql_count;
use crate::records::{Arrived, Shelf};
use crate::seen::{self, Marks};
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// One own record on its way to one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The signed assertion.
    pub assertion_id: AssertionId,
    /// Its content key.
    pub key: ContentKey,
    /// The recipient.
    pub node_id: NodeId,
    /// Its place among all that was addressed to this recipient, from 1.
    pub number: u64,
    /// When it was queued, milliseconds since the epoch.
    pub queued_ms: u64,
    /// After this it is not sent any more.
    pub deadline_ms: u64,
    /// The record's canonical JSON. A disk is not a signature: verify it before it is sent.
    pub json: Vec<u8>,
}

/// An own record to be stored, and where it must go.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The signed record.
    pub record: &'a Verified,
    /// Who must get it.
    pub recipients: &'a [NodeId],
    /// When it expires, milliseconds since the epoch; a day from now when nothing is said.
    pub deadline_ms: Option<u64>,
}

/// What storing an own record did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Memory did not hold its content yet.
    pub fresh: bool,
    /// Its number at each recipient that was not waiting for this very assertion already.
    pub numbers: Vec<u64>,
}

impl Store {
    /// Stores an own record with its parents, and one outbox row for each recipient.
    ///
    /// Returns false when the same content is held already; the outbox then keeps this assertion of it by itself.
    pub fn put_own(&self, record: &Verified, now_ms: u64, recipients: &[NodeId]) -> Result<bool, StoreError> {
        let stored = self.put_own_many(&[Own { record, recipients, deadline_ms: None }], now_ms)?;
        Ok(stored.iter().all(|put| put.fresh))
    }

    /// As [`Store::put_own`] for several records in one transaction: all of them or none, and what each did.
    pub fn put_own_many(&self, records: &[Own<'_>], now_ms: u64) -> Result<Vec<Put>, StoreError> {
        self.write(|transaction| {
            if records.len() > COMMIT_MAX_ROWS {
                let detail = format!("records of one call: {}; {COMMIT_MAX_ROWS} fit", records.len());
                return Err(Fault::new(StoreReason::Input, detail));
            }
            let mut pens = (Shelf::of(transaction)?, Marks::of(transaction)?);
            let stored = records.iter().map(|own| self.put_one(transaction, &mut pens, own, now_ms)).collect();
            seen::bound(transaction)?;
            stored
        })
    }

    fn put_one(
        &self,
        transaction: &Transaction<'_>,
        (rows, marks): &mut (Shelf<'_>, Marks<'_>),
        own: &Own<'_>,
        now_ms: u64,
    ) -> Result<Put, Fault> {
        let record = own.record.record();
        let metadata = &record.metadata;
        if metadata.author != self.node_id() {
            return Err(Fault::new(
                StoreReason::Input,
                format!("author: {}; this store belongs to {}", metadata.author, self.node_id()),
            ));
        }
        if !own.recipients.is_empty() {
            check_room_left(transaction, own.recipients.len())?;
        }
        // A message between agents is no cognition: the outbox alone keeps it.
        let message = record.is_message();
        let arrived = Arrived { stored_ms: now_ms, own: true, proof: Proof::Signature, decision: None };
        let remembered = !message && rows.put(record, arrived)?;
        let fresh = message || remembered;
        if remembered {
            marks.append(SeenId::Memory(metadata.key), true)?;
        }
        let deadline_ms = own.deadline_ms.unwrap_or(now_ms.saturating_add(OUTBOX_WAIT_MS));
        let mut numbers = Vec::new();
        for recipient in own.recipients {
            numbers.extend(queue(transaction, record, *recipient, remembered, (now_ms, deadline_ms))?);
        }
        Ok(Put { fresh, numbers })
    }

    /// Returns what waits to be sent, oldest first; to one peer when `node_id` is given.
    pub fn outbox(&self, limit: usize, node_id: Option<NodeId>) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(|view| {
            if let Some(node_id) = node_id {
                return waiting(view, node_id, 0, limit);
            }
            let mut statement = view.prepare_cached(&format!(
                "SELECT {PLACE}, {COLUMNS} FROM outbox o LEFT JOIN records r ON r.key = o.key
                 WHERE o.done_ms IS NULL ORDER BY o.id LIMIT ?1"
            ))?;
            read_rows(statement.query([sql_count(limit.min(PAGE_MAX))])?)
        })
    }
}

/// What waits to be sent to one peer, by number, behind `after`.
pub(crate) fn waiting(view: &Connection, node_id: NodeId, after: u64, limit: usize) -> Result<Vec<OutboxRow>, Fault> {
    let mut statement = view.prepare_cached(&format!(
        "SELECT {PLACE}, {COLUMNS} FROM outbox o LEFT JOIN records r ON r.key = o.key
         WHERE o.done_ms IS NULL AND o.node_id = ?1 AND o.number > ?2 ORDER BY o.number LIMIT ?3"
    ))?;
    read_rows(statement.query(params![node_id.to_string(), sql_ms(after), sql_count(limit.min(PAGE_MAX))])?)
}

/// Drops the oldest done rows past the bound.
pub(crate) fn bound(transaction: &Transaction<'_>) -> Result<(), Fault> {
    transaction
        .prepare_cached("DELETE FROM outbox WHERE closed = 1 AND id <= (SELECT max(id) FROM outbox) - ?1")?
        .execute([OUTBOX_DONE_KEPT])?;
    Ok(())
}

/// Lets a record wait for one recipient, under the next number there; none where this assertion waits already.
fn queue(
    transaction: &Transaction<'_>,
    record: &Record,
    recipient: NodeId,
    remembered: bool,
    (now_ms, deadline_ms): (u64, u64),
) -> Result<Option<u64>, Fault> {
    let metadata = &record.metadata;
    let node_id = recipient.to_string();
    let known: bool = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE assertion = ?1 AND node_id = ?2)")?
        .query_row(params![metadata.assertion_id.as_bytes(), node_id], |row| row.get(0))?;
    if known {
        return Ok(None);
    }
    let number = next_number(transaction, &node_id)?;
    // Memory keeps a content once; another assertion of it is kept here, whole.
    let evidence = if remembered { None } else { Some(evidence::json_of(record)?) };
    transaction
        .prepare_cached(
            "INSERT INTO outbox (assertion, key, node_id, queued_ms, deadline_ms, number, evidence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            metadata.assertion_id.as_bytes(),
            metadata.key.as_bytes(),
            node_id,
            sql_ms(now_ms),
            sql_ms(deadline_ms),
            number,
            evidence,
        ])?;
    Ok(u64::try_from(number).ok())
}

fn next_number(transaction: &Transaction<'_>, node_id: &str) -> Result<i64, Fault> {
    let counted = transaction
        .prepare_cached("UPDATE streams_out SET last = last + 1 WHERE node_id = ?1 RETURNING last")?
        .query_row([node_id], |row| row.get(0))
        .optional()?;
    if let Some(number) = counted {
        return Ok(number);
    }
    let streams: i64 = transaction.query_row("SELECT count(*) FROM streams_out", [], |row| row.get(0))?;
    if streams >= STREAMS_MAX {
        let detail = format!("recipients ever written to: {streams}; no further one is kept");
        return Err(Fault::new(StoreReason::Limit, detail));
    }
    transaction.prepare_cached("INSERT INTO streams_out (node_id, last) VALUES (?1, 1)")?.execute([node_id])?;
    Ok(1)
}

fn check_room_left(view: &Connection, more: usize) -> Result<(), Fault> {
    if more > RECIPIENTS_MAX {
        return Err(Fault::new(StoreReason::Input, format!("recipients: {more}; {RECIPIENTS_MAX} fit")));
    }
    let waiting: i64 =
        view.prepare_cached("SELECT count(*) FROM outbox WHERE done_ms IS NULL")?.query_row([], |row| row.get(0))?;
    if waiting + sql_count(more) > OUTBOX_PENDING_MAX {
        return Err(Fault::new(
            StoreReason::Limit,
            format!("outbox: {waiting} records wait for their peers; {OUTBOX_PENDING_MAX} fit"),
        ));
    }
    Ok(())
}

/// What a row says of its place, in the order `outbox_row` takes it, before the record's columns.
const PLACE: &str = "o.id, o.assertion, o.key, o.node_id, o.number, o.queued_ms, o.deadline_ms, o.evidence";
const PLACE_COUNT: usize = 8;

fn read_rows(mut rows: rusqlite::Rows<'_>) -> Result<Vec<OutboxRow>, Fault> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(outbox_row(row)?);
    }
    Ok(found)
}

fn outbox_row(row: &Row<'_>) -> Result<OutboxRow, Fault> {
    let id: i64 = row.get(0)?;
    let node_id: String = row.get(3)?;
    let evidence: Option<String> = row.get(7)?;
    let assertion_id = AssertionId::from_bytes(row.get(1)?);
    let record = match evidence {
        Some(json) => evidence::parse(&json).ok_or_else(|| Fault::malformed("record of the outbox", id))?,
        None if row.get::<_, Option<i64>>(PLACE_COUNT)?.is_none() => {
            return Err(Fault::malformed("record of the outbox", id));
        }
        None => evidence::read(row, PLACE_COUNT)?,
    };
    if record.metadata.assertion_id != assertion_id {
        return Err(Fault::malformed("assertion in the outbox", id));
    }
    Ok(OutboxRow {
        assertion_id,
        key: ContentKey::from_bytes(row.get(2)?),
        node_id: NodeId::parse(&node_id).map_err(|_| Fault::malformed("node id", id))?,
        number: read_ms(row, 4)?,
        queued_ms: read_ms(row, 5)?,
        deadline_ms: read_ms(row, 6)?,
        json: record.to_json(),
    })
}
