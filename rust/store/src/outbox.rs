//! This peer's own records, and to whom each must still go.

use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::intake::SeenId;
use covey_core::record::{Proof, Verified};
use rusqlite::{Connection, Row, Transaction, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::evidence::{self, COLUMNS};
use crate::limits::{COMMIT_MAX_ROWS, OUTBOX_DONE_KEPT, OUTBOX_PENDING_MAX, PAGE_MAX, RECIPIENTS_MAX};
use crate::recall::sql_count;
use crate::records::{self, Arrived};
use crate::seen;
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
    /// When it was queued, milliseconds since the epoch.
    pub queued_ms: u64,
    /// The record's canonical JSON. A disk is not a signature: verify it before it is sent.
    pub json: Vec<u8>,
}

impl Store {
    /// Stores an own record with its parents, and one outbox row for each recipient.
    ///
    /// Returns false when the same content is held already; then nothing changes.
    pub fn put_own(&self, record: &Verified, now_ms: u64, recipients: &[NodeId]) -> Result<bool, StoreError> {
        let stored = self.put_own_many(&[(record, recipients)], now_ms)?;
        Ok(stored == [true])
    }

    /// As [`Store::put_own`] for several records in one transaction: all of them or none, and what each returned.
    pub fn put_own_many(&self, records: &[(&Verified, &[NodeId])], now_ms: u64) -> Result<Vec<bool>, StoreError> {
        self.write(|transaction| {
            if records.len() > COMMIT_MAX_ROWS {
                let detail = format!("records of one call: {}; {COMMIT_MAX_ROWS} fit", records.len());
                return Err(Fault::new(StoreReason::Input, detail));
            }
            let put =
                |(record, recipients): &(&Verified, &[NodeId])| self.put_one(transaction, record, now_ms, recipients);
            let stored = records.iter().map(put).collect();
            seen::bound(transaction)?;
            stored
        })
    }

    fn put_one(
        &self,
        transaction: &Transaction<'_>,
        record: &Verified,
        now_ms: u64,
        recipients: &[NodeId],
    ) -> Result<bool, Fault> {
        let record = record.record();
        let metadata = &record.metadata;
        if metadata.author != self.node_id() {
            return Err(Fault::new(
                StoreReason::Input,
                format!("author: {}; this store belongs to {}", metadata.author, self.node_id()),
            ));
        }
        if !recipients.is_empty() {
            check_room_left(transaction, recipients.len())?;
        }
        if records::holds(transaction, metadata.key)? {
            return Ok(false);
        }
        records::insert(
            transaction,
            record,
            Arrived { stored_ms: now_ms, own: true, proof: Proof::Signature, decision: None },
        )?;
        seen::append(transaction, SeenId::Memory(metadata.key), true)?;
        for recipient in recipients {
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO outbox (assertion, key, node_id, queued_ms) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    metadata.assertion_id.as_bytes(),
                    metadata.key.as_bytes(),
                    recipient.to_string(),
                    sql_ms(now_ms)
                ])?;
        }
        Ok(true)
    }

    /// Returns what waits to be sent, oldest first; to one peer when `node_id` is given.
    pub fn outbox(&self, limit: usize, node_id: Option<NodeId>) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(|view| {
            let condition = if node_id.is_some() { "o.node_id = ?2" } else { "?2 IS NULL" };
            let mut statement = view.prepare_cached(&format!(
                "SELECT o.id, o.assertion, o.key, o.node_id, o.queued_ms, {COLUMNS}
                 FROM outbox o JOIN records r ON r.key = o.key
                 WHERE o.done_ms IS NULL AND {condition} ORDER BY o.id LIMIT ?1"
            ))?;
            let node_id = node_id.map(|id| id.to_string());
            let mut rows = statement.query(params![sql_count(limit.min(PAGE_MAX)), node_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(outbox_row(row)?);
            }
            Ok(found)
        })
    }

    /// Marks one record as done for one peer. False when nothing waited for it.
    pub fn outbox_done(&self, assertion: AssertionId, node_id: NodeId, now_ms: u64) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let marked = transaction
                .prepare_cached(
                    "UPDATE outbox SET done_ms = ?3 WHERE assertion = ?1 AND node_id = ?2 AND done_ms IS NULL",
                )?
                .execute(params![assertion.as_bytes(), node_id.to_string(), sql_ms(now_ms)])?;
            transaction
                .prepare_cached(
                    "DELETE FROM outbox WHERE done_ms IS NOT NULL AND id <= (SELECT max(id) FROM outbox) - ?1",
                )?
                .execute([OUTBOX_DONE_KEPT])?;
            Ok(marked > 0)
        })
    }
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

fn outbox_row(row: &Row<'_>) -> Result<OutboxRow, Fault> {
    let id: i64 = row.get(0)?;
    let node_id: String = row.get(3)?;
    Ok(OutboxRow {
        assertion_id: AssertionId::from_bytes(row.get(1)?),
        key: ContentKey::from_bytes(row.get(2)?),
        node_id: NodeId::parse(&node_id).map_err(|_| Fault::malformed("node id", id))?,
        queued_ms: read_ms(row, 4)?,
        json: evidence::read(row, 5)?.to_json(),
    })
}
