//! What an agent keeps for itself: entries by class, its sealed diary, and the signed log of what left it.

use rusqlite::params;

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::{
    AUDIT_ENTRY_MAX_BYTES, AUDIT_KEPT, DIARY_ENTRY_MAX_BYTES, DIARY_MAX, KEPT_MAX, KEPT_NAME_MAX_BYTES,
    KEPT_VALUE_MAX_BYTES, PAGE_MAX,
};
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// (class, name, value, when): something an agent keeps.
pub type KeptRow = (String, String, Vec<u8>, u64);

/// One line of a log: its number, its time, its bytes, and its signature where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Ascending, never used twice.
    pub id: i64,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What it says.
    pub bytes: Vec<u8>,
    /// Who says so; empty where nobody signs.
    pub signature: Vec<u8>,
}

impl Store {
    /// Keeps `value` under a class and a name, in place of an earlier one.
    pub fn kept_put(&self, class: &str, name: &str, value: &[u8], now_ms: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            for text in [class, name] {
                demand(!text.is_empty() && text.len() <= KEPT_NAME_MAX_BYTES, "kept: a name of no allowed length")?;
            }
            demand(value.len() <= KEPT_VALUE_MAX_BYTES, "kept: a value that is too long")?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO kept (class, name, value, at_ms) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![class, name, value, sql_ms(now_ms)])?;
            let held: i64 = transaction.query_row("SELECT count(*) FROM kept", [], |row| row.get(0))?;
            if held > KEPT_MAX {
                return Err(Fault::new(StoreReason::Limit, format!("kept: {KEPT_MAX} entries fit")));
            }
            Ok(())
        })
    }

    /// Forgets an entry; says whether there was one.
    pub fn kept_delete(&self, class: &str, name: &str) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let gone = transaction
                .prepare_cached("DELETE FROM kept WHERE class = ?1 AND name = ?2")?
                .execute(params![class, name])?;
            Ok(gone == 1)
        })
    }

    /// Returns every entry as (class, name, value, when), by class and name.
    pub fn kept(&self) -> Result<Vec<KeptRow>, StoreError> {
        self.read(|view| {
            let mut statement =
                view.prepare_cached("SELECT class, name, value, at_ms FROM kept ORDER BY class, name")?;
            let rows =
                statement.query_and_then([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, read_ms(row, 3)?)))?;
            rows.collect()
        })
    }

    /// Appends a sealed entry to the diary; returns its number. What it says is never known here.
    pub fn diary_add(&self, at_ms: u64, sealed: &[u8]) -> Result<i64, StoreError> {
        self.write(|transaction| {
            demand(sealed.len() <= DIARY_ENTRY_MAX_BYTES, "diary: an entry that is too long")?;
            let held: i64 = transaction.query_row("SELECT count(*) FROM diary", [], |row| row.get(0))?;
            if held >= DIARY_MAX {
                return Err(Fault::new(StoreReason::Limit, format!("diary: {DIARY_MAX} entries fit")));
            }
            transaction
                .prepare_cached("INSERT INTO diary (at_ms, sealed) VALUES (?1, ?2)")?
                .execute(params![sql_ms(at_ms), sealed])?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Returns sealed entries of a span of time behind a number, oldest first.
    pub fn diary_page(&self, after: i64, from_ms: u64, to_ms: u64, limit: usize) -> Result<Vec<Line>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached(
                "SELECT id, at_ms, sealed, x'' FROM diary WHERE id > ?1 AND at_ms BETWEEN ?2 AND ?3 ORDER BY id LIMIT ?4",
            )?;
            let span = params![after, sql_ms(from_ms), sql_ms(to_ms), page(limit)];
            lines(&mut statement, span)
        })
    }

    /// Returns how many entries the diary has, and the times of the first and the last.
    pub fn diary_facts(&self) -> Result<(u64, Option<u64>, Option<u64>), StoreError> {
        self.read(|view| {
            let count: i64 = view.query_row("SELECT count(*) FROM diary", [], |row| row.get(0))?;
            if count == 0 {
                return Ok((0, None, None));
            }
            let mut statement = view.prepare_cached("SELECT min(at_ms), max(at_ms) FROM diary")?;
            let mut times = statement.query_and_then([], |row| Ok::<_, Fault>((read_ms(row, 0)?, read_ms(row, 1)?)))?;
            let (first, last) = times.next().transpose()?.unzip();
            Ok((count.unsigned_abs(), first, last))
        })
    }

    /// Appends a signed line to the log of what left, and drops the oldest beyond what is kept.
    pub fn audit_add(&self, at_ms: u64, entry: &[u8], signature: &[u8; 64]) -> Result<i64, StoreError> {
        self.write(|transaction| {
            demand(entry.len() <= AUDIT_ENTRY_MAX_BYTES, "audit: a line that is too long")?;
            transaction
                .prepare_cached("INSERT INTO audit (at_ms, entry, signature) VALUES (?1, ?2, ?3)")?
                .execute(params![sql_ms(at_ms), entry, signature])?;
            let id = transaction.last_insert_rowid();
            transaction.prepare_cached("DELETE FROM audit WHERE id <= ?1 - ?2")?.execute([id, AUDIT_KEPT])?;
            Ok(id)
        })
    }

    /// Returns lines of the log behind a number, oldest first.
    pub fn audit_page(&self, after: i64, limit: usize) -> Result<Vec<Line>, StoreError> {
        self.read(|view| {
            let mut statement = view
                .prepare_cached("SELECT id, at_ms, entry, signature FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            lines(&mut statement, params![after, page(limit)])
        })
    }

    /// Returns the last line of the log, if there is one.
    pub fn audit_last(&self) -> Result<Option<Line>, StoreError> {
        self.read(|view| {
            let mut statement =
                view.prepare_cached("SELECT id, at_ms, entry, signature FROM audit ORDER BY id DESC LIMIT 1")?;
            Ok(lines(&mut statement, &[])?.pop())
        })
    }
}

fn lines(statement: &mut rusqlite::Statement<'_>, span: &[&dyn rusqlite::ToSql]) -> Result<Vec<Line>, Fault> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Line { id: row.get(0)?, at_ms: read_ms(row, 1)?, bytes: row.get(2)?, signature: row.get(3)? })
    };
    statement.query_and_then(span, read)?.collect()
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX)
}

fn demand(holds: bool, detail: &str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::new(StoreReason::Input, detail)) }
}
