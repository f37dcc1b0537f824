//! Which record descends from which, walked both ways. Parents may be unknown here; children are held records.

use covey_core::id::ContentKey;
use covey_core::record::Record;
use rusqlite::{Transaction, params};

use crate::error::{Fault, StoreError};
use crate::lifecycle;
use crate::limits::PAGE_MAX;
use crate::recall::sql_count;
use crate::store::Store;

/// The whole record descends from the parent. The lower seven bits stand for single categories, in their order.
pub const RECORD_LEVEL: u8 = 1 << 7;

/// One edge towards a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentEdge {
    /// The parent, held or not.
    pub parent: ContentKey,
    /// `RECORD_LEVEL`, one bit for each category that names it, or both.
    pub levels: u8,
}

impl Store {
    /// Returns what the record with this key descends from, at any level, sorted by key.
    pub fn parents(&self, key: ContentKey) -> Result<Vec<ParentEdge>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached(
                "SELECT parent, levels FROM lineage WHERE child = (SELECT id FROM records WHERE key = ?1)
                 ORDER BY parent",
            )?;
            let edges = statement.query_map([key.as_bytes()], |row| {
                Ok(ParentEdge { parent: ContentKey::from_bytes(row.get(0)?), levels: row.get(1)? })
            })?;
            Ok(edges.collect::<Result<_, _>>()?)
        })
    }

    /// Returns the held records that descend from this key, at any level, in the order they were stored.
    pub fn children(&self, key: ContentKey) -> Result<Vec<ContentKey>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached(
                "SELECT r.key FROM lineage l JOIN records r ON r.id = l.child WHERE l.parent = ?1
                 ORDER BY l.child LIMIT ?2",
            )?;
            let keys = statement.query_map(params![key.as_bytes(), sql_count(PAGE_MAX)], |row| {
                Ok(ContentKey::from_bytes(row.get(0)?))
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
    }
}

/// Writes a new record's edges, and moves held parents on (MMP 2.0 §6.5).
pub(crate) fn insert(transaction: &Transaction<'_>, child: i64, record: &Record, stored_ms: u64) -> Result<(), Fault> {
    for ParentEdge { parent, levels } in edges(record) {
        transaction
            .prepare_cached("INSERT INTO lineage (child, parent, levels) VALUES (?1, ?2, ?3)")?
            .execute(params![child, parent.as_bytes(), levels])?;
        if levels & RECORD_LEVEL != 0 {
            lifecycle::named(transaction, parent, stored_ms)?;
        }
    }
    Ok(())
}

/// Gathers a record's edges. A category may name as parent what is no content key; the evidence keeps that.
fn edges(record: &Record) -> Vec<ParentEdge> {
    let whole = record.metadata.parents.iter().map(|parent| ParentEdge { parent: *parent, levels: RECORD_LEVEL });
    let mut edges: Vec<ParentEdge> = whole.collect();
    for (index, entry) in record.categories.iter().enumerate() {
        let keys = entry.parents.iter().filter_map(|parent| ContentKey::parse(parent).ok());
        edges.extend(keys.map(|parent| ParentEdge { parent, levels: 1 << index }));
    }
    edges.sort_unstable_by_key(|edge| edge.parent);
    edges.dedup_by(|next, kept| {
        let same = next.parent == kept.parent;
        if same {
            kept.levels |= next.levels;
        }
        same
    });
    edges
}
