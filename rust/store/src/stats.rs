//! What `status` shows of a store.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Fault, StoreError};
use crate::open::{beside, file_size};
use crate::recall::lag;
use crate::store::Store;
use crate::{inbox, schema};

/// Counts of rows, how far the recall index is, and sizes on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Version of the schema.
    pub schema_version: i32,
    /// Records in memory, own ones included.
    pub records: i64,
    /// Records this peer signed.
    pub own: i64,
    /// Decisions kept.
    pub decisions: i64,
    /// Inbox rows behind the cursor's mark, waiting for a reader.
    pub inbox_unread: i64,
    /// Newest inbox sequence number.
    pub inbox_last: i64,
    /// Unread inbox rows that were dropped because nobody read them.
    pub inbox_dropped: i64,
    /// Outbox rows waiting to be sent.
    pub outbox_pending: i64,
    /// Marks of the seen-set.
    pub seen: i64,
    /// Bound identities.
    pub bindings: i64,
    /// Records that the recall index does not hold yet.
    pub recall_lag: u64,
    /// Bytes of the database file.
    pub file_bytes: u64,
    /// Bytes of its log.
    pub log_bytes: u64,
}

impl Store {
    /// Returns the store's figures.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let file_bytes = file_size(self.path()).map_err(|fault| fault.at(self.path()))?;
        let log = beside(self.path(), "-wal");
        let log_bytes = file_size(&log).map_err(|fault| fault.at(&log))?;
        self.read(|view| {
            Ok(Stats {
                schema_version: schema::SCHEMA_VERSION,
                records: count(view, "SELECT count(*) FROM records")?,
                own: count(view, "SELECT count(*) FROM records WHERE own = 1")?,
                decisions: count(view, "SELECT count(*) FROM decisions")?,
                inbox_unread: inbox::unread(view)?,
                inbox_last: inbox::last_seq(view)?,
                inbox_dropped: count(view, "SELECT value FROM meta WHERE name = 'inbox_dropped'")?,
                outbox_pending: count(view, "SELECT count(*) FROM outbox WHERE done_ms IS NULL")?,
                seen: count(view, "SELECT count(*) FROM seen")?,
                bindings: count(view, "SELECT count(*) FROM bindings")?,
                recall_lag: lag(view)?,
                file_bytes,
                log_bytes,
            })
        })
    }

    /// Checks every page and index of the file. Slow on a large one; a healthy store returns nothing.
    pub fn integrity(&self) -> Result<Vec<String>, StoreError> {
        self.read(|view| {
            // A look at the full text takes note of its pieces as they are: the check itself goes by those this connection
            // saw last, and would miss the ones that were merged since.
            let looked = view.query_row("SELECT rowid FROM recall LIMIT 1", [], |_| Ok(())).optional();
            let mut statement = view.prepare("PRAGMA integrity_check")?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
            let unreadable = looked.err().map(|error| format!("full text: {error}"));
            Ok(lines.into_iter().filter(|line| line != "ok").chain(unreadable).collect())
        })
    }
}

fn count(view: &Connection, query: &str) -> Result<i64, Fault> {
    Ok(view.prepare_cached(query)?.query_row([], |row| row.get(0))?)
}
