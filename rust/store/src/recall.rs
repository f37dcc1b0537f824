//! Full-text recall over stored records, and the index behind it.
//!
//! The index is filled behind the commit, in slices, and says how far it is; what it holds is made from the records
//! and can be made again, so its transactions do not wait for the disk.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::limits::{
    INDEX_ON_RECALL, INDEX_SLICE, INDEX_STEP, MERGE_PAGES, PAGE_MAX, RECALL_CANDIDATES, RECALL_MAX_BYTES,
    RECALL_MAX_TERMS, RECALL_RANKING,
};
use crate::records::{StoredRecord, stored_by_id};
use crate::store::Store;

/// What a recall found.
#[derive(Debug, Clone, PartialEq)]
pub struct RecallResult {
    /// Best first; newest first when `capped`, or when the query has no words.
    pub hits: Vec<StoredRecord>,
    /// More records matched than are ranked; the newest are given.
    pub capped: bool,
    /// Stored records that the index did not hold yet when it was asked.
    pub lag: u64,
}

impl Store {
    /// Finds stored records by their texts: first those with every word of `query`, then those with any.
    ///
    /// A query without a word lists the newest. The last word of the query's bound is the 32nd.
    pub fn recall(&self, query: &str, limit: usize) -> Result<RecallResult, StoreError> {
        self.catch_up()?;
        let limit = limit.min(PAGE_MAX);
        let terms = terms(query);
        self.read(|view| {
            let lag = lag(view)?;
            let (ids, capped) =
                if terms.is_empty() { (newest(view, limit)?, false) } else { search(view, &terms, limit)? };
            let hits = ids.into_iter().map(|id| stored_by_id(view, id)).collect::<Result<_, _>>()?;
            Ok(RecallResult { hits, capped, lag })
        })
    }

    /// Adds what is stored and not indexed: the index follows commits a moment later, and who asks must not miss what
    /// was stored just before, also where another block is being written at that moment. Where more waits than is added
    /// here, the peer is in a stream that the index follows by itself, and nobody waits for the writer.
    pub(crate) fn catch_up(&self) -> Result<(), StoreError> {
        let few = match self.read(lag)? {
            0 => return Ok(()),
            waiting => waiting <= INDEX_ON_RECALL.unsigned_abs(),
        };
        let Some(mut writer) = (if few { Some(self.writer()) } else { self.idle_writer() }) else { return Ok(()) };
        self.write_unsynced(&mut writer, |transaction| index_slice(transaction, INDEX_ON_RECALL))
    }

    /// Adds the next records to the recall index, at most one slice. Returns how many still wait.
    pub fn index(&self) -> Result<u64, StoreError> {
        self.index_some(INDEX_SLICE)
    }

    /// As [`Store::index`], of so many records at most: a commit that comes meanwhile waits for less.
    pub fn index_some(&self, most: i64) -> Result<u64, StoreError> {
        self.index_in_steps(most, INDEX_SLICE, || false)
    }

    /// As [`Store::index_some`], but a few at a time, and no more once `wanted` says that somebody waits to write.
    pub fn index_unless(&self, most: i64, wanted: impl FnMut() -> bool) -> Result<u64, StoreError> {
        self.index_in_steps(most, INDEX_STEP, wanted)
    }

    fn index_in_steps(&self, most: i64, step: i64, mut wanted: impl FnMut() -> bool) -> Result<u64, StoreError> {
        let mut left = most.clamp(1, INDEX_SLICE);
        self.write_unsynced(&mut self.writer(), |transaction| {
            loop {
                index_slice(transaction, left.min(step))?;
                left -= left.min(step);
                let waiting = lag(transaction)?;
                if waiting == 0 || left == 0 || wanted() {
                    return Ok(waiting);
                }
            }
        })
    }

    /// Merges a few pages of the index, where many pieces wait for it. Returns whether more may be merged.
    pub fn merge_some(&self) -> Result<bool, StoreError> {
        self.write_unsynced(&mut self.writer(), |transaction| merge(transaction, MERGE_PAGES))
    }

    /// As [`Store::merge_some`], so many pages, behind whoever waits for the writer.
    pub(crate) fn merge_behind(&self, pages: i64) -> Result<bool, StoreError> {
        self.write_unsynced(&mut self.writer_behind(), |transaction| merge(transaction, pages))
    }
}

fn merge(transaction: &Transaction<'_>, pages: i64) -> Result<bool, Fault> {
    let before = transaction.total_changes();
    set(transaction, "merge", pages)?;
    // The command itself counts as one change; so it is said where nothing was merged.
    Ok(transaction.total_changes() - before >= 2)
}

/// Has the index merge nothing by itself; returns what [`resume_merging`] takes. Else each block that goes counts as a page
/// that was written, and every sixty-fourth has some hundred pages merged at once.
pub(crate) fn hold_merging(transaction: &Transaction<'_>) -> Result<i64, Fault> {
    let usual = transaction
        .prepare_cached("SELECT v FROM recall_config WHERE k = 'automerge'")?
        .query_row([], |row| row.get(0))?;
    set(transaction, "automerge", 0)?;
    Ok(usual)
}

/// Has the index merge by itself again, behind what was done meanwhile.
pub(crate) fn resume_merging(transaction: &Transaction<'_>, usual: i64) -> Result<(), Fault> {
    set(transaction, "automerge", usual)
}

/// Tells the index something.
fn set(transaction: &Transaction<'_>, what: &str, value: i64) -> Result<(), Fault> {
    transaction.prepare_cached("INSERT INTO recall (recall, rank) VALUES (?1, ?2)")?.execute(params![what, value])?;
    Ok(())
}

/// Returns how many stored records the index does not hold yet: by their places, the first and the last of which are read,
/// since counting the rows between would read them all for each slice. A row that went meanwhile is still counted.
pub(crate) fn lag(view: &Connection) -> Result<u64, Fault> {
    let waiting: Option<i64> = view
        .prepare_cached("SELECT max(id) - (SELECT value FROM meta WHERE name = 'indexed_upto') FROM records")?
        .query_row([], |row| row.get(0))?;
    Ok(waiting.and_then(|waiting| u64::try_from(waiting).ok()).unwrap_or(0))
}

pub(crate) fn index_slice(transaction: &Transaction<'_>, most: i64) -> Result<(), Fault> {
    let first: Option<i64> = transaction
        .prepare_cached("SELECT min(id) FROM records WHERE id > (SELECT value FROM meta WHERE name = 'indexed_upto')")?
        .query_row([], |row| row.get(0))?;
    let Some(first) = first else { return Ok(()) };
    let last: i64 = transaction.prepare_cached("SELECT max(id) FROM records")?.query_row([], |row| row.get(0))?;
    let upto = last.min(first.saturating_add(most - 1));
    transaction
        .prepare_cached(
            "INSERT INTO recall (rowid, focus, issue, intent, motivation, commitment, perspective, mood)
             SELECT id, focus, issue, intent, motivation, commitment, perspective, mood FROM records
             WHERE id >= ?1 AND id <= ?2 ORDER BY id",
        )?
        .execute([first, upto])?;
    transaction.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'indexed_upto'")?.execute([upto])?;
    Ok(())
}

/// Takes back how far the index is where the newest records went: their places are given again.
pub(crate) fn step_back(transaction: &Transaction<'_>) -> Result<(), Fault> {
    transaction
        .prepare_cached(
            "UPDATE meta SET value = min(value, (SELECT coalesce(max(id), 0) FROM records))
             WHERE name IN ('indexed_upto', 'feedback_upto')",
        )?
        .execute([])?;
    Ok(())
}

fn newest(view: &Connection, limit: usize) -> Result<Vec<i64>, Fault> {
    let mut statement = view.prepare_cached("SELECT id FROM records ORDER BY id DESC LIMIT ?1")?;
    let ids = statement.query_map([sql_count(limit)], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Splits a query into quoted words, so that nothing in it is read as the index's own query language.
pub(crate) fn terms(query: &str) -> Vec<String> {
    let mut end = query.len().min(RECALL_MAX_BYTES);
    while !query.is_char_boundary(end) {
        end -= 1;
    }
    query[..end]
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(RECALL_MAX_TERMS)
        .map(|word| format!("\"{}\"", word.replace('"', " ")))
        .collect()
}

fn search(view: &Connection, terms: &[String], limit: usize) -> Result<(Vec<i64>, bool), Fault> {
    let (mut ids, mut capped) = matches(view, terms, " AND ", limit)?;
    if ids.len() < limit && terms.len() > 1 {
        let (any, any_capped) = matches(view, terms, " OR ", limit)?;
        capped |= any_capped;
        for id in any {
            if ids.len() < limit && !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok((ids, capped))
}

fn matches(view: &Connection, terms: &[String], joined: &str, limit: usize) -> Result<(Vec<i64>, bool), Fault> {
    let expression = terms.join(joined);
    let past_the_cap: Option<i64> = view
        .prepare_cached("SELECT rowid FROM recall WHERE recall MATCH ?1 ORDER BY rowid DESC LIMIT 1 OFFSET ?2")?
        .query_row(params![expression, sql_count(RECALL_CANDIDATES)], |row| row.get(0))
        .optional()?;
    let capped = past_the_cap.is_some();
    let ids = if capped {
        latest(view, &expression, limit)?
    } else {
        best(view, terms, |some| some.join(joined), limit, RECALL_RANKING)?
    };
    Ok((ids, capped))
}

fn latest(view: &Connection, expression: &str, limit: usize) -> Result<Vec<i64>, Fault> {
    let mut statement =
        view.prepare_cached("SELECT rowid FROM recall WHERE recall MATCH ?1 ORDER BY rowid DESC LIMIT ?2")?;
    let ids = statement.query_map(params![expression, sql_count(limit)], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Returns what matches, best first; among what is equally good, and where no word ranks, the newest first.
///
/// `expression` makes of words one that all of them must meet, or, where each is rare, any; `most` is how many records may hold one of several words that ranks.
pub(crate) fn best(
    view: &Connection,
    terms: &[String],
    expression: impl Fn(&[String]) -> String,
    limit: usize,
    most: usize,
) -> Result<Vec<i64>, Fault> {
    let all = expression(terms);
    let ranking = if terms.len() > 1 { ranking(view, terms, most)? } else { terms.to_vec() };
    if ranking.is_empty() {
        return latest(view, &all, limit);
    }
    if ranking.len() == terms.len() {
        let mut statement =
            view.prepare_cached("SELECT rowid FROM recall WHERE recall MATCH ?1 ORDER BY rank, rowid DESC LIMIT ?2")?;
        let ids = statement.query_map(params![all, sql_count(limit)], |row| row.get(0))?;
        return Ok(ids.collect::<Result<_, _>>()?);
    }
    // The plus keeps the walk on the words that rank; the function, not the column `rank`, has only those rows
    // weighed that match all words.
    let mut statement = view.prepare_cached(
        "SELECT rowid FROM recall WHERE recall MATCH ?1
         AND +rowid IN (SELECT rowid FROM recall WHERE recall MATCH ?2) ORDER BY bm25(recall), rowid DESC LIMIT ?3",
    )?;
    let ids = statement.query_map(params![expression(&ranking), all, sql_count(limit)], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Returns the words that at most so many records hold.
fn ranking(view: &Connection, terms: &[String], most: usize) -> Result<Vec<String>, Fault> {
    let mut statement =
        view.prepare_cached("SELECT rowid FROM recall WHERE recall MATCH ?1 ORDER BY rowid DESC LIMIT 1 OFFSET ?2")?;
    let mut rare = Vec::new();
    for term in terms {
        if !statement.exists(params![term, sql_count(most)])? {
            rare.push(term.clone());
        }
    }
    Ok(rare)
}

/// A count as `SQLite` takes it.
pub(crate) fn sql_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexed(texts: impl IntoIterator<Item = String>) -> Connection {
        let view = Connection::open_in_memory().expect("memory opens");
        view.execute_batch("CREATE VIRTUAL TABLE recall USING fts5 (focus, mood)").expect("FTS5 is built in");
        for text in texts {
            view.execute("INSERT INTO recall (focus, mood) VALUES (?1, 'calm')", [text]).expect("a row is indexed");
        }
        view
    }

    fn all_of(words: &[String]) -> String {
        words.join(" AND ")
    }

    #[test]
    fn a_word_that_is_everywhere_finds_and_does_not_rank() {
        let rare = |number: usize| match number {
            5 => "common fox fox fox",
            20 => "common fox and much else beside it",
            30 => "fox alone",
            _ => "common",
        };
        let view = indexed((1..=40).map(|number| rare(number).to_owned()));
        for most in [0, 10, 1_000] {
            let mut found = best(&view, &terms("common fox"), all_of, 10, most).expect("it is read");
            found.sort_unstable();
            assert_eq!(found, [5, 20], "{most}: what is found does not depend on what ranks");
        }
        assert_eq!(best(&view, &terms("common fox"), all_of, 10, 10).expect("it is read"), [5, 20], "the best first");
        assert_eq!(best(&view, &terms("common fox"), all_of, 10, 0).expect("it is read"), [20, 5], "the newest first");
        assert_eq!(best(&view, &terms("common fox"), all_of, 1, 10).expect("it is read"), [5]);
        assert_eq!(ranking(&view, &terms("common fox"), 3).expect("it is read"), ["\"fox\""]);
        assert_eq!(ranking(&view, &terms("common fox"), 2).expect("it is read"), [""; 0]);
        let focus = |words: &[String]| format!("focus : ({})", all_of(words));
        assert_eq!(best(&view, &terms("calm fox"), focus, 10, 10).expect("it is read"), [0; 0]);
    }

    #[test]
    fn a_query_is_words_and_nothing_else() {
        assert_eq!(terms("deploy \"now\" -- OR *"), ["\"deploy\"", "\" now \"", "\"OR\""]);
        assert_eq!(terms("focus:x NEAR(a b)"), ["\"focus:x\"", "\"NEAR(a\"", "\"b)\""]);
        assert!(terms("  *** \0 ").is_empty());
        assert_eq!(terms(&"word ".repeat(100)).len(), RECALL_MAX_TERMS);
        assert_eq!(terms(&"é".repeat(5_000)).len(), 1);
    }
}
