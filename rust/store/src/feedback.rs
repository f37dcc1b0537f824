//! What stored blocks say of others: outcomes and judgements, by the block they speak of.
//!
//! Written with the record itself, so that whoever acts on it can go on where it stopped. Order is the order of storing:
//! what an author claims of time decides nothing (MMP 2.0 §6.7). Only what is signed is written here.

use covey_core::feedback::{Feedback, read};
use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::record::Record;
use rusqlite::{Connection, Params, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::limits::{FEEDBACK_LOOKED, PAGE_MAX};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::read_ms;

/// One block's word on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackRow {
    /// Its place in the order of storing.
    pub seq: i64,
    /// The block that speaks.
    pub key: ContentKey,
    /// Its signed assertion.
    pub assertion_id: AssertionId,
    /// Who speaks.
    pub author: NodeId,
    /// When it was stored here.
    pub stored_ms: u64,
    /// What is said.
    pub kind: Feedback,
    /// Of which block, held or not.
    pub target: ContentKey,
    /// The words of its commitment.
    pub words: String,
}

const SELECT: &str = "SELECT f.child, r.key, r.assertion, r.author_node_id, r.stored_ms, f.kind, f.target, r.commitment
  FROM feedback f JOIN records r ON r.id = f.child";

impl Store {
    /// Returns what was stored behind a place, oldest first.
    pub fn feedback_after(&self, seq: i64, limit: usize) -> Result<Vec<FeedbackRow>, StoreError> {
        self.read(|view| {
            let query = format!("{SELECT} WHERE f.child > ?1 ORDER BY f.child, f.target LIMIT ?2");
            rows(view, &query, params![seq, sql_count(limit.min(PAGE_MAX))])
        })
    }

    /// Returns what is said of one block, the last stored first.
    pub fn feedback_of(&self, target: ContentKey, limit: usize) -> Result<Vec<FeedbackRow>, StoreError> {
        self.read(|view| {
            let query = format!("{SELECT} WHERE f.target = ?1 ORDER BY f.child DESC LIMIT ?2");
            rows(view, &query, params![target.as_bytes(), sql_count(limit.min(PAGE_MAX))])
        })
    }

    /// Returns what others say of this peer's own blocks of a room, the last stored first; of the newest words only.
    pub fn feedback_for_own(&self, room: &str, limit: usize) -> Result<Vec<FeedbackRow>, StoreError> {
        self.read(|view| {
            let query = format!(
                "{SELECT} JOIN records own ON own.key = f.target
                 WHERE f.child IN (SELECT child FROM feedback ORDER BY child DESC LIMIT ?3)
                   AND own.own = 1 AND r.own = 0 AND r.room = ?1 ORDER BY f.child DESC LIMIT ?2"
            );
            rows(view, &query, params![room, sql_count(limit.min(PAGE_MAX)), FEEDBACK_LOOKED])
        })
    }

    /// Returns how far what is said was acted upon.
    pub fn feedback_cursor(&self) -> Result<i64, StoreError> {
        self.read(|view| {
            Ok(view
                .prepare_cached("SELECT value FROM meta WHERE name = 'feedback_upto'")?
                .query_row([], |row| row.get(0))?)
        })
    }

    /// Remembers how far what is said was acted upon. It never goes back.
    pub fn feedback_done(&self, seq: i64) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction
                .prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE name = 'feedback_upto'")?
                .execute([seq])?;
            Ok(())
        })
    }
}

/// Writes down what a new record says of others.
pub(crate) fn insert(transaction: &Transaction<'_>, child: i64, record: &Record) -> Result<(), Fault> {
    let Some((kind, targets)) = read(record) else { return Ok(()) };
    for target in targets {
        transaction
            .prepare_cached("INSERT INTO feedback (child, target, kind) VALUES (?1, ?2, ?3)")?
            .execute(params![child, target.as_bytes(), kind.as_str()])?;
    }
    Ok(())
}

fn rows(view: &Connection, query: &str, values: impl Params) -> Result<Vec<FeedbackRow>, Fault> {
    let mut statement = view.prepare_cached(query)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let bad = || Fault::malformed("feedback", seq);
        let (author, kind): (String, String) = (row.get(3)?, row.get(5)?);
        found.push(FeedbackRow {
            seq,
            key: ContentKey::from_bytes(row.get(1)?),
            assertion_id: AssertionId::from_bytes(row.get(2)?),
            author: NodeId::parse(&author).map_err(|_| bad())?,
            stored_ms: read_ms(row, 4)?,
            kind: Feedback::parse(&kind).ok_or_else(bad)?,
            target: ContentKey::from_bytes(row.get(6)?),
            words: row.get(7)?,
        });
    }
    Ok(found)
}
