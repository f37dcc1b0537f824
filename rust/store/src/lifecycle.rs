//! How far understanding of a block has come (MMP 2.0 §6.4), and each step of it that authority made.
//!
//! Rules: the steps are a table. Whether somebody may make one is not asked here; what the table forbids nobody may.
//! Only a child moves a block by itself, from "observed" or "archived" to "remixed"; only silence archives, and never
//! what is canonical or dismissed.

use std::sync::atomic::Ordering;

use covey_core::id::{AssertionId, ContentKey, NodeId};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::forget::{newest, slice_of};
use crate::limits::{ARCHIVE_SLICE, ARCHIVE_SLICE_MOST, MOVES_KEPT, PAGE_MAX};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// How far understanding of a record has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Held; nothing built on it yet.
    Observed,
    /// A stored record names it as a parent.
    Remixed,
    /// Authority stands behind it.
    Validated,
    /// Validated and built on by others: it is never forgotten by age.
    Canonical,
    /// Authority rejected it. It stays known, and no remix brings it back.
    Dismissed,
    /// Nothing came of it for long, or authority put it away.
    Archived,
}

const ALL: [Lifecycle; 6] = [
    Lifecycle::Observed,
    Lifecycle::Remixed,
    Lifecycle::Validated,
    Lifecycle::Canonical,
    Lifecycle::Dismissed,
    Lifecycle::Archived,
];

/// Others whose blocks build on it before a block can be canonical (§6.4).
pub const CANON_REMIXERS: usize = 2;

impl Lifecycle {
    /// Returns the specification's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Remixed => "remixed",
            Self::Validated => "validated",
            Self::Canonical => "canonical",
            Self::Dismissed => "dismissed",
            Self::Archived => "archived",
        }
    }

    /// Reads a word; `None` when it is none.
    pub fn parse(word: &str) -> Option<Self> {
        ALL.into_iter().find(|lifecycle| lifecycle.as_str() == word)
    }

    /// Says whether authority can move a block from here to there. What is dismissed stays so.
    pub const fn leads_to(self, next: Self) -> bool {
        match next {
            Self::Validated => matches!(self, Self::Observed | Self::Remixed | Self::Archived),
            Self::Canonical => matches!(self, Self::Validated),
            Self::Dismissed => !matches!(self, Self::Dismissed),
            Self::Archived => !matches!(self, Self::Archived | Self::Dismissed),
            Self::Observed | Self::Remixed => false,
        }
    }
}

/// One step that authority made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRow {
    /// Ascending, never used twice.
    pub id: i64,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Which block.
    pub key: ContentKey,
    /// Where it stood.
    pub from: Lifecycle,
    /// Where it stands since.
    pub to: Lifecycle,
    /// Who made the step.
    pub by: NodeId,
    /// The signed block that says so.
    pub because: AssertionId,
}

/// What became of a wish to move a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It moved from there.
    Done(Lifecycle),
    /// It stood there already.
    Already,
    /// It is not held.
    NotHeld,
    /// From where it stands no step leads there.
    Barred(Lifecycle),
    /// Too few others built on it to be canonical.
    TooFewRemixers(usize),
}

impl Store {
    /// Moves a block for somebody whose authority was judged already, and writes the step down.
    pub fn move_block(
        &self,
        key: ContentKey,
        to: Lifecycle,
        by: NodeId,
        because: AssertionId,
        now_ms: u64,
    ) -> Result<Moved, StoreError> {
        self.write(|transaction| {
            let Some((from, author)) = standing(transaction, key)? else { return Ok(Moved::NotHeld) };
            if from == to {
                return Ok(Moved::Already);
            }
            if !from.leads_to(to) {
                return Ok(Moved::Barred(from));
            }
            if to == Lifecycle::Canonical {
                let remixers = remixers(transaction, key, &author)?;
                if remixers < CANON_REMIXERS {
                    return Ok(Moved::TooFewRemixers(remixers));
                }
            }
            transaction
                .prepare_cached("UPDATE records SET lifecycle = ?2, active_ms = ?3 WHERE key = ?1")?
                .execute(params![key.as_bytes(), to.as_str(), sql_ms(now_ms)])?;
            transaction
                .prepare_cached(
                    "INSERT INTO moves (at_ms, key, moved_from, moved_to, by_node_id, because)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    sql_ms(now_ms),
                    key.as_bytes(),
                    from.as_str(),
                    to.as_str(),
                    by.to_string(),
                    because.as_bytes()
                ])?;
            let id = transaction.last_insert_rowid();
            transaction.prepare_cached("DELETE FROM moves WHERE id <= ?1 - ?2")?.execute([id, MOVES_KEPT])?;
            Ok(Moved::Done(from))
        })
    }

    /// Returns the steps that authority made with a block, or with any, newest first.
    pub fn moves(&self, key: Option<ContentKey>, limit: usize) -> Result<Vec<MoveRow>, StoreError> {
        self.read(|view| {
            let which = if key.is_some() { "key = ?1" } else { "?1 IS NULL" };
            let mut statement = view.prepare_cached(&format!(
                "SELECT id, at_ms, key, moved_from, moved_to, by_node_id, because FROM moves WHERE {which}
                 ORDER BY id DESC LIMIT ?2"
            ))?;
            let mut rows =
                statement.query(params![key.as_ref().map(ContentKey::as_bytes), sql_count(limit.min(PAGE_MAX))])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(0)?;
                let word = |at: usize| -> Result<Lifecycle, Fault> {
                    Lifecycle::parse(&row.get::<_, String>(at)?).ok_or_else(|| Fault::malformed("move", id))
                };
                let by: String = row.get(5)?;
                found.push(MoveRow {
                    id,
                    at_ms: read_ms(row, 1)?,
                    key: ContentKey::from_bytes(row.get(2)?),
                    from: word(3)?,
                    to: word(4)?,
                    by: NodeId::parse(&by).map_err(|_| Fault::malformed("move", id))?,
                    because: AssertionId::from_bytes(row.get(6)?),
                });
            }
            Ok(found)
        })
    }

    /// Counts what nothing came of since a moment: what [`Store::archive_idle`] would archive.
    pub fn idle(&self, before_ms: u64) -> Result<u64, StoreError> {
        self.read(|view| {
            let count: i64 = view
                .prepare_cached(&format!("SELECT count(*) FROM records WHERE {IDLE}"))?
                .query_row([sql_ms(before_ms)], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// Archives a slice of what nothing came of since a moment; returns how many. Zero says that none are left. Where blocks
    /// come in bulk a slice is some times what came since the one before, as where they are forgotten.
    pub fn archive_idle(&self, before_ms: u64) -> Result<usize, StoreError> {
        let before = self.archiving.swap(0, Ordering::Relaxed);
        let (done, newest) = self.write_behind(|transaction| {
            let newest = newest(transaction)?;
            let came = if before == 0 { 0 } else { newest - before };
            let slice = slice_of(came, ARCHIVE_SLICE, ARCHIVE_SLICE_MOST);
            let done = transaction
                .prepare_cached(&format!(
                    "UPDATE records SET lifecycle = 'archived'
                     WHERE id IN (SELECT id FROM records WHERE {IDLE} LIMIT ?2)"
                ))?
                .execute(params![sql_ms(before_ms), sql_count(slice)])?;
            Ok((done, newest))
        })?;
        if done > 0 {
            self.archiving.store(newest, Ordering::Relaxed);
        }
        Ok(done)
    }
}

/// Consensus does not expire by silence (§6.3), and what was dismissed has its end already.
const IDLE: &str = "lifecycle IN ('observed', 'remixed', 'validated') AND active_ms < ?1";

/// Takes note that a stored record names this one: its clock starts anew, and it is remixed if it was less.
pub(crate) fn named(transaction: &Transaction<'_>, key: ContentKey, stored_ms: u64) -> Result<(), Fault> {
    transaction
        .prepare_cached(
            "UPDATE records SET active_ms = max(active_ms, ?2),
               lifecycle = CASE WHEN lifecycle IN ('observed', 'archived') THEN 'remixed' ELSE lifecycle END
             WHERE key = ?1",
        )?
        .execute(params![key.as_bytes(), sql_ms(stored_ms)])?;
    Ok(())
}

fn standing(transaction: &Transaction<'_>, key: ContentKey) -> Result<Option<(Lifecycle, String)>, Fault> {
    let row: Option<(String, String)> = transaction
        .prepare_cached("SELECT lifecycle, author_node_id FROM records WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(word, author)| {
        let lifecycle = Lifecycle::parse(&word).ok_or_else(|| Fault::malformed("lifecycle", key))?;
        Ok((lifecycle, author))
    })
    .transpose()
}

/// Counts the others who built on a block; what only judges it or reports its outcome builds nothing.
fn remixers(transaction: &Transaction<'_>, key: ContentKey, author: &str) -> Result<usize, Fault> {
    let count: i64 = transaction
        .prepare_cached(
            "SELECT count(DISTINCT r.author_node_id) FROM lineage l JOIN records r ON r.id = l.child
             WHERE l.parent = ?1 AND l.levels >= 128 AND r.author_node_id <> ?2 AND r.proof = 'signature'
               AND NOT EXISTS (SELECT 1 FROM feedback f WHERE f.child = r.id)",
        )?
        .query_row(params![key.as_bytes(), author], |row| row.get(0))?;
    usize::try_from(count).map_err(|_| Fault::new(StoreReason::Corrupt, "a count below zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_specifications() {
        use Lifecycle::{Archived, Canonical, Dismissed, Observed, Remixed, Validated};
        let steps: Vec<(Lifecycle, Lifecycle)> =
            ALL.into_iter().flat_map(|from| ALL.map(|to| (from, to))).filter(|(from, to)| from.leads_to(*to)).collect();
        assert_eq!(
            steps,
            [
                (Observed, Validated),
                (Observed, Dismissed),
                (Observed, Archived),
                (Remixed, Validated),
                (Remixed, Dismissed),
                (Remixed, Archived),
                (Validated, Canonical),
                (Validated, Dismissed),
                (Validated, Archived),
                (Canonical, Dismissed),
                (Canonical, Archived),
                (Archived, Validated),
                (Archived, Dismissed),
            ]
        );
    }

    #[test]
    fn words_are_read_back() {
        for lifecycle in ALL {
            assert_eq!(Lifecycle::parse(lifecycle.as_str()), Some(lifecycle));
        }
        assert_eq!(Lifecycle::parse("Canonical"), None);
    }
}
