//! Memory on its way out and in again: records as they were signed, page by page.
//!
//! What comes in is verified before it gets here, and nothing of where it stood is believed: it is observed, or remixed
//! where something held builds on it; what blocks say of others is judged here anew.

use covey_core::intake::SeenId;
use covey_core::record::{Proof, Verified};
use rusqlite::params;

use crate::error::{Fault, StoreError, StoreReason};
use crate::evidence::{self, COLUMN_COUNT, COLUMNS};
use crate::limits::{CARRY_SLICE, COMMIT_MAX_ROWS};
use crate::recall::sql_count;
use crate::records::{Arrived, Shelf};
use crate::seen::{self, Marks};
use crate::store::Store;
use crate::times::read_ms;

/// One record on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its place in the order of storing.
    pub seq: i64,
    /// Its canonical JSON, as it was signed.
    pub json: Vec<u8>,
    /// When it was stored here.
    pub stored_ms: u64,
    /// How far understanding of it has come here.
    pub lifecycle: String,
}

impl Store {
    /// Returns signed records behind a place, oldest first, at most a slice and at most `limit`.
    pub fn carry_out(&self, after: i64, limit: usize) -> Result<Vec<Carried>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached(&format!(
                "SELECT {COLUMNS}, r.stored_ms, r.lifecycle FROM records r
                 WHERE r.id > ?1 AND r.proof = 'signature' ORDER BY r.id LIMIT ?2"
            ))?;
            let mut rows = statement.query(params![after, sql_count(limit.min(CARRY_SLICE))])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(Carried {
                    seq: row.get(0)?,
                    json: evidence::read(row, 0)?.to_json(),
                    stored_ms: read_ms(row, COLUMN_COUNT)?,
                    lifecycle: row.get(COLUMN_COUNT + 1)?,
                });
            }
            Ok(found)
        })
    }

    /// Stores verified records as if memory had taken them at `now_ms`, all or none; says of each whether it is new.
    pub fn carry_in(&self, records: &[&Verified], now_ms: u64) -> Result<Vec<bool>, StoreError> {
        self.write(|transaction| {
            if records.len() > COMMIT_MAX_ROWS {
                let detail = format!("records of one call: {}; {COMMIT_MAX_ROWS} fit", records.len());
                return Err(Fault::new(StoreReason::Input, detail));
            }
            let (mut rows, mut marks) = (Shelf::of(transaction)?, Marks::of(transaction)?);
            let mut fresh = Vec::with_capacity(records.len());
            for record in records {
                let record = record.record();
                let own = record.metadata.author == self.node_id();
                let arrived = Arrived { stored_ms: now_ms, own, proof: Proof::Signature, decision: None };
                let new = rows.put(record, arrived)?;
                if new {
                    marks.append(SeenId::Memory(record.metadata.key), true)?;
                }
                fresh.push(new);
            }
            seen::bound(transaction)?;
            Ok(fresh)
        })
    }
}
