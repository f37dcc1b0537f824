//! Retention: what is old, not of the Canon, and needed by nothing that stays, is forgotten (MMP 2.0 §6.3).
//!
//! Rules: a block goes only if every held block that names it goes too, at any level. What authority stands behind
//! never goes by age. What an inbox or an outbox still shows stays. The marks of the seen-set stay, so that what was
//! forgotten is not taken anew when it comes again.

use std::collections::HashSet;

use covey_core::id::ContentKey;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::limits::MEMORY_SLICE;
use crate::recall;
use crate::store::Store;
use crate::times::sql_ms;

/// Old enough, and nobody stands behind it.
const OLD: &str = "stored_ms < ?1 AND lifecycle NOT IN ('validated', 'canonical')";
/// What this peer's mail shows. Read once for many blocks: it has no index, and may be long.
const SHOWN: &str =
    "SELECT key FROM inbox WHERE evidence IS NULL UNION ALL SELECT key FROM outbox WHERE evidence IS NULL";

impl Store {
    /// Returns which records can be forgotten, by their places, children before parents. Changes nothing.
    pub fn forgettable(&self, before_ms: u64) -> Result<Vec<i64>, StoreError> {
        self.read(|view| doomed(view, before_ms))
    }

    /// Forgets a slice of what [`Store::forgettable`] named, in its order; each is looked at again. Returns how many
    /// went and how many of the list were dealt with.
    pub fn forget(&self, ids: &[i64], before_ms: u64) -> Result<(usize, usize), StoreError> {
        self.write(|transaction| {
            let mut gone = 0;
            let shown = shown(transaction)?;
            let slice = &ids[..ids.len().min(usize::try_from(MEMORY_SLICE).unwrap_or(usize::MAX))];
            for id in slice {
                gone += usize::from(forget_one(transaction, *id, before_ms, &shown)?);
            }
            recall::step_back(transaction)?;
            Ok((gone, slice.len()))
        })
    }
}

fn doomed(view: &Connection, before_ms: u64) -> Result<Vec<i64>, Fault> {
    let mut statement =
        view.prepare_cached(&format!("SELECT id FROM records WHERE {OLD} AND key NOT IN ({SHOWN}) ORDER BY id DESC"))?;
    let mut waiting: Vec<i64> =
        statement.query_map([sql_ms(before_ms)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut children = view.prepare_cached(
        "SELECT l.child FROM records r JOIN lineage l ON l.parent = r.key WHERE r.id = ?1 AND l.child <> r.id",
    )?;
    let (mut going, mut order) = (HashSet::new(), Vec::new());
    // Newest first, a child nearly always comes before its parents; what was fetched later takes another round.
    loop {
        let before = order.len();
        let mut still = Vec::new();
        for id in waiting {
            let mut rows = children.query([id])?;
            let mut needed = false;
            while let Some(row) = rows.next()? {
                needed = needed || !going.contains(&row.get::<_, i64>(0)?);
            }
            if needed {
                still.push(id);
            } else {
                going.insert(id);
                order.push(id);
            }
        }
        if order.len() == before {
            return Ok(order);
        }
        waiting = still;
    }
}

fn shown(view: &Connection) -> Result<HashSet<ContentKey>, Fault> {
    let mut statement = view.prepare_cached(SHOWN)?;
    let keys = statement.query_map([], |row| Ok(ContentKey::from_bytes(row.get(0)?)))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

fn forget_one(
    transaction: &Transaction<'_>,
    id: i64,
    before_ms: u64,
    shown: &HashSet<ContentKey>,
) -> Result<bool, Fault> {
    let free: Option<[u8; 32]> = transaction
        .prepare_cached(&format!(
            "SELECT key FROM records WHERE id = ?2 AND {OLD} AND NOT EXISTS
               (SELECT 1 FROM lineage l WHERE l.parent = records.key AND l.child <> records.id)"
        ))?
        .query_row(params![sql_ms(before_ms), id], |row| row.get(0))
        .optional()?;
    if free.is_none_or(|key| shown.contains(&ContentKey::from_bytes(key))) {
        return Ok(false);
    }
    for statement in [
        "DELETE FROM recall WHERE rowid = ?1",
        // A decision that no record names any more is found by its own index again.
        "UPDATE decisions SET linked = 0 WHERE id = (SELECT decision_id FROM records WHERE id = ?1)",
        "DELETE FROM lineage WHERE child = ?1",
        "DELETE FROM feedback WHERE child = ?1",
        "DELETE FROM vectors WHERE record = ?1",
        "DELETE FROM records WHERE id = ?1",
    ] {
        transaction.prepare_cached(statement)?.execute([id])?;
    }
    Ok(true)
}
