//! Retention: what is old, not of the Canon, and needed by nothing that stays, is forgotten (MMP 2.0 §6.3).
//!
//! Rules: a block goes only if every held block that names it goes too, at any level. What authority stands behind
//! never goes by age. What an inbox or an outbox still shows stays. The marks of the seen-set stay, so that what was
//! forgotten is not taken anew when it comes again.
//!
//! A pass goes in calls, so that a commit waits for one of them at most: a slice of blocks, or a few pages of the full
//! text, of which the slice before left much empty. Between two calls whoever waits for the writer has it first.

use std::collections::HashSet;

use covey_core::id::ContentKey;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::limits::{FORGET_LOOKED, FORGET_ROWS, FORGET_SLICE};
use crate::recall::{self, sql_count};
use crate::store::Store;
use crate::times::sql_ms;

/// Nobody stands behind it.
const LOOSE: &str = "lifecycle NOT IN ('validated', 'canonical')";
/// What this peer's mail shows. It has no index, and may be long.
const SHOWN: &str =
    "SELECT key FROM inbox WHERE evidence IS NULL UNION ALL SELECT key FROM outbox WHERE evidence IS NULL";
/// Of that, what came behind two places.
const SHOWN_SINCE: &str = "SELECT key FROM inbox WHERE seq > ?1 AND evidence IS NULL
  UNION ALL SELECT key FROM outbox WHERE id > ?2 AND evidence IS NULL";

/// What one pass forgets: what could go when it began, children before parents.
#[derive(Debug)]
pub struct Forgetting {
    before_ms: u64,
    places: Vec<i64>,
    at: usize,
    merging: bool,
    mail: Mail,
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
}

/// What the inbox and the outbox came to show since the pass began. Nothing on its list was shown before; rows are only
/// added behind the last one ever given, and none begins to show a block later.
#[derive(Debug)]
struct Mail {
    inbox: i64,
    outbox: i64,
    shown: HashSet<ContentKey>,
}

impl Mail {
    fn of(view: &Connection) -> Result<Self, Fault> {
        let (inbox, outbox) = last_rows(view)?;
        Ok(Self { inbox, outbox, shown: HashSet::new() })
    }

    fn read_on(&mut self, view: &Connection) -> Result<(), Fault> {
        let last = last_rows(view)?;
        if last == (self.inbox, self.outbox) {
            return Ok(());
        }
        let mut statement = view.prepare_cached(SHOWN_SINCE)?;
        let keys =
            statement.query_map(params![self.inbox, self.outbox], |row| Ok(ContentKey::from_bytes(row.get(0)?)))?;
        for key in keys {
            self.shown.insert(key?);
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
    /// Begins a pass: finds what can be forgotten. Changes nothing. It reads in pages, and whoever waits for the reader has
    /// it between two of them; what changes meanwhile is found when the block's turn has come.
    pub fn forgettable(&self, before_ms: u64) -> Result<Forgetting, StoreError> {
        let (going, mail) = self.find_old(before_ms)?;
        Ok(Forgetting { before_ms, places: going.order, at: 0, merging: false, mail })
    }

    fn find_old(&self, before_ms: u64) -> Result<(Going, Mail), StoreError> {
        let (mail, shown) = self.read_behind(|view| Ok((Mail::of(view)?, shown(view)?)))?;
        let (mut going, mut waiting) = (Going::default(), Vec::new());
        // Newest first, a child nearly always comes before its parents. What came the other way round, as a thread does that
        // is fetched from its end, is found by going back: each round goes against the one before.
        let mut page = Some((sql_ms(before_ms), i64::MIN));
        while let Some(than) = page {
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
                self.read_behind(|view| going.sift(view, some, &mut waiting))?;
            }
            if going.order.len() == before {
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
            pass.merging = self.merge_behind()?;
            return Ok(0);
        }
        let upto = pass.places.len().min(pass.at + FORGET_SLICE);
        let (slice, before_ms, mail) = (&pass.places[pass.at..upto], pass.before_ms, &mut pass.mail);
        let work = |transaction: &Transaction<'_>| {
            mail.read_on(transaction)?;
            let merging = recall::hold_merging(transaction)?;
            let (mut eraser, mut gone, mut dealt) = (Eraser::of(transaction)?, 0, 0);
            for id in slice {
                gone += usize::from(eraser.forget(*id, before_ms, &mail.shown)?);
                dealt += 1;
                if eraser.rows >= FORGET_ROWS {
                    break;
                }
            }
            recall::resume_merging(transaction, merging)?;
            recall::step_back(transaction)?;
            Ok((gone, dealt))
        };
        let over = upto == pass.places.len();
        let (gone, dealt) =
            if over { self.write_behind(work)? } else { self.write_unsynced(&mut self.writer_behind(), work)? };
        (pass.at, pass.merging) = (pass.at + dealt, gone > 0);
        Ok(gone)
    }
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
            "SELECT key FROM records WHERE id = ?2 AND stored_ms < ?1 AND {LOOSE} AND NOT EXISTS
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
    fn forget(&mut self, id: i64, before_ms: u64, shown: &HashSet<ContentKey>) -> Result<bool, Fault> {
        let free: Option<[u8; 32]> =
            self.free.query_row(params![sql_ms(before_ms), id], |row| row.get(0)).optional()?;
        if free.is_none_or(|key| shown.contains(&ContentKey::from_bytes(key))) {
            return Ok(false);
        }
        for trace in &mut self.traces {
            self.rows += trace.execute([id])?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use covey_core::category::Category;
    use covey_core::id::NodeId;
    use covey_core::identity::SigningKey;
    use covey_core::record::Draft;
    use covey_core::signature::sign;

    use super::*;

    const ME: NodeId = NodeId::from_bytes([1; 16]);
    const NOW: u64 = 1_790_000_000_000;

    struct Filled(PathBuf, Store);

    /// A store of so many blocks of one millisecond each, indexed.
    fn filled(name: &str, blocks: u64) -> Filled {
        let path = std::env::temp_dir().join(format!("covey-forget-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let store = Store::open(path.join("store.db"), ME).unwrap();
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        for number in 0..blocks {
            let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
            draft.say(Category::Focus, &format!("fox {number}")).unwrap();
            store.put_own(&sign(draft, &key).unwrap(), NOW + number, &[]).unwrap();
        }
        while store.index().unwrap() > 0 {}
        Filled(path, store)
    }

    impl Drop for Filled {
        fn drop(&mut self) {
            self.1.close().unwrap();
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    impl Filled {
        fn number(&self, query: &str) -> i64 {
            self.1.read(|view| Ok(view.query_row(query, [], |row| row.get(0))?)).unwrap()
        }
    }

    #[test]
    fn a_slice_merges_nothing_and_the_calls_behind_it_do() {
        let old = filled("merging", 150);
        let (pieces, usual) =
            ("SELECT sum(segid) FROM recall_idx", "SELECT v FROM recall_config WHERE k = 'automerge'");
        let (before, set) = (old.number(pieces), old.number(usual));
        let mut pass = old.1.forgettable(NOW + 100).unwrap();
        assert_eq!(old.1.forget(&mut pass).unwrap(), FORGET_SLICE);
        assert_eq!(old.number(pieces), before, "more than four tenths are gone, and nothing was merged");
        assert!(pass.merging && !pass.is_over());
        while pass.merging {
            assert_eq!(old.1.forget(&mut pass).unwrap(), 0);
        }
        assert_ne!(old.number(pieces), before);
        assert_eq!(old.1.forget(&mut pass).unwrap(), 100 - FORGET_SLICE);
        while !pass.is_over() {
            old.1.forget(&mut pass).unwrap();
        }
        assert_eq!(old.number(usual), set, "the next blocks are merged as ever");
        assert_eq!(old.1.recall("fox", 1_000).unwrap().hits.len(), 50);
    }

    #[test]
    fn a_commit_that_waits_comes_before_the_next_slice() {
        let old = filled("waiting", 150);
        let mut pass = old.1.forgettable(NOW + 150).unwrap();
        for name in ["one", "two"] {
            let writer = old.1.writer();
            std::thread::scope(|scope| {
                scope.spawn(|| old.1.state_put_many(&[(name, b"said")], &[]).unwrap());
                while old.1.writers_waiting() == 0 {
                    std::thread::yield_now();
                }
                drop(writer);
                old.1.forget(&mut pass).unwrap();
                assert!(old.1.state_get(name).unwrap().is_some(), "it was there first");
            });
        }
        assert!(!pass.is_over());
    }

    #[test]
    fn a_thread_that_came_from_its_end_is_found_in_two_rounds() {
        let old = filled("backwards", 0);
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let mut thread: Vec<covey_core::record::Verified> = Vec::new();
        for number in 0..200 {
            let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
            draft.say(Category::Focus, &format!("fox {number}")).unwrap();
            if let Some(before) = thread.last() {
                draft.descend(&[before.record().metadata.key]).unwrap();
            }
            thread.push(sign(draft, &key).unwrap());
        }
        for (number, block) in (0..).zip(thread.iter().rev()) {
            old.1.put_own(block, NOW + number, &[]).unwrap();
        }
        let (going, _) = old.1.find_old(NOW + 1_000).unwrap();
        assert_eq!(going.order, (1..=200).collect::<Vec<i64>>(), "its end first, and all of it");
        assert!(going.looked.0 <= 3 * 200, "{}", going.looked.0);
    }

    #[test]
    fn of_a_block_that_many_name_no_more_children_are_looked_at_than_it_takes_to_find_one_that_stays() {
        let old = filled("named", 0);
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let put = |text: String, at: u64, parents: &[ContentKey]| {
            let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
            draft.say(Category::Focus, &text).unwrap();
            draft.descend(parents).unwrap();
            let block = sign(draft, &key).unwrap();
            old.1.put_own(&block, at, &[]).unwrap();
            block.record().metadata.key
        };
        let parents: Vec<_> = (0..50).map(|number| put(format!("fox {number}"), NOW + number, &[])).collect();
        for number in 0..40 {
            put(format!("what was made of all of them {number}"), NOW + 1_000 + number, &parents);
        }
        let (going, _) = old.1.find_old(NOW + 500).unwrap();
        assert!(going.order.is_empty(), "something young descends from each");
        // Each is looked at in its page and once more when nothing went: of its forty children one each time.
        assert_eq!(going.looked, (100, 100));
    }

    #[test]
    fn blocks_of_many_parents_make_a_slice_shorter() {
        let old = filled("parents", 0);
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        for number in 0..16_u64 {
            let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
            draft.say(Category::Focus, &format!("fox {number}")).unwrap();
            let parent = |at: u8| covey_core::id::ContentKey::from_bytes([at; 32]);
            draft.descend(&(0..=255).map(parent).collect::<Vec<_>>()).unwrap();
            old.1.put_own(&sign(draft, &key).unwrap(), NOW + number, &[]).unwrap();
        }
        let mut pass = old.1.forgettable(NOW + 16).unwrap();
        let mut gone = Vec::new();
        while !pass.is_over() {
            gone.push(old.1.forget(&mut pass).unwrap());
        }
        assert_eq!(gone.iter().sum::<usize>(), 16);
        assert!(gone.iter().all(|went| *went <= 4), "{gone:?}");
        assert_eq!(old.number("SELECT count(*) FROM lineage"), 0);
    }

    #[test]
    fn a_panic_in_unsynced_work_leaves_the_next_commit_durable() {
        let old = filled("panic", 1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            old.1.write_unsynced(&mut old.1.writer(), |_| -> Result<(), Fault> { panic!("on purpose") })
        }));
        assert!(panicked.is_err());
        let mode = |writer: &mut crate::store::Writer<'_>| -> i64 {
            let connection = writer.as_ref().unwrap();
            connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(mode(&mut old.1.writer()), 2, "FULL");
    }

    #[test]
    fn blocks_of_one_millisecond_are_found_page_by_page() {
        let old = filled("pages", 3);
        old.1.write(|to| Ok(to.execute_batch(MANY)?)).unwrap();
        let pass = old.1.forgettable(NOW + 2).unwrap();
        let places: Vec<i64> = (1..=2 * 1_024 + 102).filter(|place| *place != 3).rev().collect();
        assert_eq!(FORGET_LOOKED, 1_024);
        let mut found = pass.places.clone();
        found.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
        assert_eq!(found, places);
    }

    /// Copies of one block under other keys, over two pages full.
    const MANY: &str = "CREATE TEMP TABLE copy AS SELECT * FROM records WHERE id = 1;
        WITH RECURSIVE place (at) AS (SELECT 4 UNION ALL SELECT at + 1 FROM place WHERE at < 2 * 1024 + 102)
        INSERT INTO records SELECT at, randomblob(32), assertion, signature, author_node_id, author, created_ms, room,
          to_node_id, parents, focus, issue, intent, motivation, commitment, perspective, mood, evidence, stored_ms, own,
          decision, decision_id, lifecycle, proof, active_ms FROM place, copy";
}
