//! Retention: what is old, not of the Canon, and needed by nothing that stays, is forgotten (MMP 2.0 §6.3).
//!
//! Rules: a block goes only if every held block that names it goes too, at any level. What authority stands behind
//! never goes by age. What an inbox or an outbox still shows stays. The marks of the seen-set stay, so that what was
//! forgotten is not taken anew when it comes again.
//!
//! A pass goes in calls, so that a commit waits for one of them at most: a slice of blocks, or a few pages of the full
//! text, of which the slice before left much empty. Between two calls whoever waits for the writer has it first. Where
//! blocks come in bulk a slice is some times what came since the one before: else more comes than goes, and the store grows.

use std::collections::HashSet;

use covey_core::id::ContentKey;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::limits::{FORGET_LOOKED, FORGET_ROWS_EACH, FORGET_SLICE, FORGET_SLICE_MOST, FORGET_TIMES, MERGE_PAGES};
use crate::recall::{self, sql_count};
use crate::store::Store;
use crate::times::sql_ms;

/// Nobody stands behind it.
const LOOSE: &str = "lifecycle NOT IN ('validated', 'canonical')";
/// What this peer's mail shows. It has no index, and may be long.
const SHOWN: &str =
    "SELECT key FROM inbox WHERE evidence IS NULL UNION ALL SELECT key FROM outbox WHERE evidence IS NULL";
/// Of that, the blocks up to a place that came to be shown behind two others. New mail shows new blocks, nearly always, which
/// are no matter of the pass: a key's index has the place with it. The mail is read first, whatever the planner holds of it.
const SHOWN_SINCE: &str = "SELECT r.id FROM inbox i CROSS JOIN records r ON r.key = i.key
    WHERE i.seq > ?1 AND i.evidence IS NULL AND r.id <= ?3
  UNION ALL SELECT r.id FROM outbox o CROSS JOIN records r ON r.key = o.key
    WHERE o.id > ?2 AND o.evidence IS NULL AND r.id <= ?3";

/// What one pass forgets: what could go when it began, children before parents.
#[derive(Debug)]
pub struct Forgetting {
    before_ms: u64,
    places: Vec<i64>,
    at: usize,
    merging: bool,
    mail: Mail,
    /// The place of the newest block when a slice was done with last.
    newest: i64,
    /// How many blocks the next slice has.
    slice: usize,
}

impl Forgetting {
    /// Returns how many blocks could go when the pass began.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Says whether none could.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Says whether everything was dealt with.
    pub fn is_over(&self) -> bool {
        self.at == self.places.len() && !self.merging
    }

    /// Goes on behind a slice: the next one follows what came since the one before this.
    fn went(&mut self, dealt: usize, newest: i64) {
        self.slice = slice_of(newest - self.newest, FORGET_SLICE, FORGET_SLICE_MOST);
        (self.at, self.newest) = (self.at + dealt, newest);
    }

    /// Says whether blocks come in bulk. Then what one call did not merge is left to later ones, and to the writer, who
    /// merges with what he indexes: before each call he has a turn, in which more comes.
    fn hurries(&self) -> bool {
        self.slice > FORGET_SLICE
    }

    /// How many pages of the full text a call between two slices merges: as many more as the slices are longer.
    fn pages(&self) -> i64 {
        MERGE_PAGES.saturating_mul(sql_count(self.slice / FORGET_SLICE))
    }
}

/// What the inbox and the outbox came to show since the pass began, of blocks up to the newest on its list: a peer that hears
/// five thousand a second has a hundred thousand rows of newer ones before a long pass is over. Nothing on its list was shown before;
/// rows are only added behind the last one ever given, and none begins to show a block later.
#[derive(Debug)]
struct Mail {
    inbox: i64,
    outbox: i64,
    /// The place of the newest block on the list.
    listed: i64,
    /// Places of blocks.
    shown: HashSet<i64>,
}

impl Mail {
    fn of(view: &Connection) -> Result<Self, Fault> {
        let (inbox, outbox) = last_rows(view)?;
        Ok(Self { inbox, outbox, listed: 0, shown: HashSet::new() })
    }

    fn read_on(&mut self, view: &Connection) -> Result<(), Fault> {
        let last = last_rows(view)?;
        if last == (self.inbox, self.outbox) {
            return Ok(());
        }
        let mut statement = view.prepare_cached(SHOWN_SINCE)?;
        for place in statement.query_map(params![self.inbox, self.outbox, self.listed], |row| row.get(0))? {
            self.shown.insert(place?);
        }
        (self.inbox, self.outbox) = last;
        Ok(())
    }
}

fn last_rows(view: &Connection) -> Result<(i64, i64), Fault> {
    let last = |table: &str| -> Result<i64, Fault> {
        let row = view
            .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?
            .query_row([table], |row| row.get(0))
            .optional()?;
        Ok(row.unwrap_or(0))
    };
    Ok((last("inbox")?, last("outbox")?))
}

impl Store {
    /// Begins a pass: finds what can be forgotten, so many at most, the youngest first. Changes nothing. It reads in pages,
    /// and whoever waits for the reader has it between two of them; what changes meanwhile is found when the block's turn
    /// has come. What descends from a block is found before it, so that a pass which found as many as it may leaves none
    /// that names what went.
    pub fn forgettable(&self, before_ms: u64, most: usize) -> Result<Forgetting, StoreError> {
        let newest = self.read(newest)?;
        let (going, mut mail) = self.find_old(before_ms, most)?;
        let (places, at, merging) = (going.order, 0, false);
        mail.listed = places.iter().copied().max().unwrap_or(0);
        Ok(Forgetting { before_ms, places, at, merging, mail, newest, slice: FORGET_SLICE })
    }

    fn find_old(&self, before_ms: u64, most: usize) -> Result<(Going, Mail), StoreError> {
        let (mail, shown) = self.read_behind(|view| Ok((Mail::of(view)?, shown(view)?)))?;
        let (mut going, mut waiting) = (Going::default(), Vec::new());
        // Newest first, a child nearly always comes before its parents. What came the other way round, as a thread does that
        // is fetched from its end, is found by going back: each round goes against the one before.
        let mut page = Some((sql_ms(before_ms), i64::MIN));
        while let Some(than) = page.filter(|_| going.order.len() < most) {
            page = self.read_behind(|view| {
                let mut old = older(view, than)?;
                let last = old.last().map(|block| (block.stored_ms, block.id));
                old.retain(|block| block.loose && !shown.contains(&block.key));
                going.sift(view, &old, &mut waiting)?;
                Ok(last)
            })?;
        }
        loop {
            let before = going.order.len();
            waiting.reverse();
            for some in std::mem::take(&mut waiting).chunks(FORGET_LOOKED) {
                if going.order.len() < most {
                    self.read_behind(|view| going.sift(view, some, &mut waiting))?;
                }
            }
            if going.order.len() == before || going.order.len() >= most {
                going.order.truncate(most);
                return Ok((going, mail));
            }
        }
    }

    /// Does one call's part of a pass, and returns how many blocks went. Each is looked at again. That they went is
    /// durable when the pass is over: what comes back with a loss of power before goes with the next.
    pub fn forget(&self, pass: &mut Forgetting) -> Result<usize, StoreError> {
        if pass.is_over() {
            return Ok(0);
        }
        if pass.merging {
            pass.merging = self.merge_behind(pass.pages())? && !pass.hurries();
            return Ok(0);
        }
        let (upto, most_rows) = (pass.places.len().min(pass.at + pass.slice), FORGET_ROWS_EACH * pass.slice);
        let (slice, before_ms, mail) = (&pass.places[pass.at..upto], pass.before_ms, &mut pass.mail);
        let work = |transaction: &Transaction<'_>| {
            mail.read_on(transaction)?;
            let merging = recall::hold_merging(transaction)?;
            let (mut eraser, mut gone, mut dealt) = (Eraser::of(transaction)?, 0, 0);
            for id in slice {
                gone += usize::from(!mail.shown.contains(id) && eraser.forget(*id, before_ms)?);
                dealt += 1;
                if eraser.rows >= most_rows {
                    break;
                }
            }
            recall::resume_merging(transaction, merging)?;
            recall::step_back(transaction)?;
            Ok((gone, dealt, newest(transaction)?))
        };
        let over = upto == pass.places.len();
        let (gone, dealt, newest) =
            if over { self.write_behind(work)? } else { self.write_unsynced(&mut self.writer_behind(), work)? };
        pass.went(dealt, newest);
        pass.merging = gone > 0;
        Ok(gone)
    }
}

/// Returns how long a slice is after so many blocks came, within bounds.
pub(crate) fn slice_of(came: i64, least: usize, most: usize) -> usize {
    usize::try_from(came).unwrap_or(0).saturating_mul(FORGET_TIMES).clamp(least, most)
}

/// Returns the place of the newest block; 0 of none.
pub(crate) fn newest(view: &Connection) -> Result<i64, Fault> {
    let last: Option<i64> = view.prepare_cached("SELECT max(id) FROM records")?.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0))
}

/// A block that is old enough.
#[derive(Debug, Clone)]
struct Block {
    stored_ms: i64,
    id: i64,
    key: ContentKey,
    loose: bool,
}

/// Returns the next page of blocks that are older than one, the youngest first; of one millisecond those with less a place.
/// An import has a million of one millisecond: each page begins where the index says, not at the first of them.
fn older(view: &Connection, than: (i64, i64)) -> Result<Vec<Block>, Fault> {
    let mut blocks = Vec::new();
    for which in ["stored_ms = ?1 AND id < ?2", "stored_ms < ?1 AND ?2 IS NOT NULL"] {
        let mut statement = view.prepare_cached(&format!(
            "SELECT stored_ms, id, key, {LOOSE} FROM records WHERE {which}
             ORDER BY stored_ms DESC, id DESC LIMIT ?3"
        ))?;
        let most = sql_count(FORGET_LOOKED - blocks.len());
        let found = statement.query_map(params![than.0, than.1, most], |row| {
            let key = ContentKey::from_bytes(row.get(2)?);
            Ok(Block { stored_ms: row.get(0)?, id: row.get(1)?, key, loose: row.get(3)? })
        })?;
        for block in found {
            blocks.push(block?);
        }
    }
    Ok(blocks)
}

/// What was found so far, children before parents.
#[derive(Default)]
struct Going {
    order: Vec<i64>,
    found: HashSet<i64>,
    /// Blocks that were looked at, and children of theirs.
    #[cfg(test)]
    looked: (usize, usize),
}

impl Going {
    /// Takes blocks that nothing but what goes descends from; puts the others with those that wait.
    fn sift(&mut self, view: &Connection, blocks: &[Block], waiting: &mut Vec<Block>) -> Result<(), Fault> {
        let mut children = view.prepare_cached("SELECT child FROM lineage WHERE parent = ?1 AND child <> ?2")?;
        for block in blocks {
            #[cfg(test)]
            {
                self.looked.0 += 1;
            }
            let mut rows = children.query(params![block.key.as_bytes(), block.id])?;
            let mut needed = false;
            // One that stays is enough: a block may be named by any number of others.
            while !needed && let Some(row) = rows.next()? {
                #[cfg(test)]
                {
                    self.looked.1 += 1;
                }
                needed = !self.found.contains(&row.get::<_, i64>(0)?);
            }
            if needed {
                waiting.push(block.clone());
            } else {
                self.found.insert(block.id);
                self.order.push(block.id);
            }
        }
        Ok(())
    }
}

fn shown(view: &Connection) -> Result<HashSet<ContentKey>, Fault> {
    let mut statement = view.prepare_cached(SHOWN)?;
    let keys = statement.query_map([], |row| Ok(ContentKey::from_bytes(row.get(0)?)))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Takes blocks out of everything, by statements that are looked up once for a slice.
struct Eraser<'t> {
    free: CachedStatement<'t>,
    traces: Vec<CachedStatement<'t>>,
    /// How many went so far, of all tables.
    rows: usize,
}

impl<'t> Eraser<'t> {
    fn of(transaction: &'t Transaction<'_>) -> Result<Self, Fault> {
        let free = transaction.prepare_cached(&format!(
            "SELECT 1 FROM records WHERE id = ?2 AND stored_ms < ?1 AND {LOOSE} AND NOT EXISTS
               (SELECT 1 FROM lineage l WHERE l.parent = records.key AND l.child <> records.id)"
        ))?;
        let traces = [
            "DELETE FROM recall WHERE rowid = ?1",
            // A decision that no record names any more is found by its own index again.
            "UPDATE decisions SET linked = 0 WHERE id = (SELECT decision_id FROM records WHERE id = ?1)",
            "DELETE FROM lineage WHERE child = ?1",
            "DELETE FROM feedback WHERE child = ?1",
            "DELETE FROM vectors WHERE record = ?1",
            "DELETE FROM records WHERE id = ?1",
        ];
        let traces = traces.into_iter().map(|trace| transaction.prepare_cached(trace)).collect::<Result<_, _>>()?;
        Ok(Self { free, traces, rows: 0 })
    }

    /// Forgets the block at a place, where it can still go.
    fn forget(&mut self, id: i64, before_ms: u64) -> Result<bool, Fault> {
        if !self.free.exists(params![sql_ms(before_ms), id])? {
            return Ok(false);
        }
        for trace in &mut self.traces {
            self.rows += trace.execute([id])?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
