//! What memory is made of: how many blocks stand where, and what is said of them.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::error::{Fault, StoreError};
use crate::store::Store;

/// Counts by word; times in milliseconds since the epoch, none where memory is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Records by lifecycle.
    pub lifecycle: BTreeMap<String, i64>,
    /// Words about blocks by kind.
    pub feedback: BTreeMap<String, i64>,
    /// When the first of what is held was stored.
    pub oldest_ms: Option<u64>,
    /// When the last was.
    pub newest_ms: Option<u64>,
}

impl Store {
    /// Counts what memory holds.
    pub fn census(&self) -> Result<Census, StoreError> {
        self.read(|view| {
            let time = |query: &str| -> Result<Option<u64>, Fault> {
                let found: Option<i64> = view.prepare_cached(query)?.query_row([], |row| row.get(0))?;
                found.map(|value| u64::try_from(value).map_err(|_| Fault::malformed("time", value))).transpose()
            };
            Ok(Census {
                lifecycle: counts(view, "SELECT lifecycle, count(*) FROM records GROUP BY lifecycle")?,
                feedback: counts(view, "SELECT kind, count(*) FROM feedback GROUP BY kind")?,
                oldest_ms: time("SELECT min(stored_ms) FROM records")?,
                newest_ms: time("SELECT max(stored_ms) FROM records")?,
            })
        })
    }
}

fn counts(view: &Connection, query: &str) -> Result<BTreeMap<String, i64>, Fault> {
    let mut statement = view.prepare_cached(query)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
