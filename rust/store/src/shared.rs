//! Shared state on disk: for each scope a snapshot and the deltas after it, in the order they came.

use rusqlite::params;

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::{SHARED_ROW_MAX_BYTES, SHARED_ROWS_MAX, SHARED_SCOPES_MAX};
use crate::store::Store;

/// One row of a scope: what it is, as its writer numbers kinds, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRow {
    /// Which scope.
    pub scope: String,
    /// What the bytes are; the store does not read it.
    pub kind: u8,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Forgets every row of the scopes in `clear`, then appends `rows`: all of it in one transaction, or nothing.
    pub fn shared_write(&self, clear: &[String], rows: &[SharedRow]) -> Result<(), StoreError> {
        self.write(|transaction| {
            if rows.len() > SHARED_ROWS_MAX {
                let detail = format!("shared state: {} rows; {SHARED_ROWS_MAX} fit one call", rows.len());
                return Err(Fault::new(StoreReason::Input, detail));
            }
            for scope in clear {
                transaction.prepare_cached("DELETE FROM shared WHERE scope = ?1")?.execute([scope])?;
            }
            for row in rows {
                check(row)?;
                transaction
                    .prepare_cached("INSERT INTO shared (scope, kind, bytes) VALUES (?1, ?2, ?3)")?
                    .execute(params![row.scope, row.kind, row.bytes])?;
            }
            let scopes: i64 =
                transaction.query_row("SELECT count(DISTINCT scope) FROM shared", [], |row| row.get(0))?;
            if scopes > SHARED_SCOPES_MAX {
                let detail = format!("scopes of shared state: {SHARED_SCOPES_MAX} fit; no further one is kept");
                return Err(Fault::new(StoreReason::Limit, detail));
            }
            Ok(())
        })
    }

    /// Returns every row of every scope, each scope's in the order they were written.
    pub fn shared_load(&self) -> Result<Vec<SharedRow>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached("SELECT scope, kind, bytes FROM shared ORDER BY scope, id")?;
            let rows = statement
                .query_map([], |row| Ok(SharedRow { scope: row.get(0)?, kind: row.get(1)?, bytes: row.get(2)? }))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn check(row: &SharedRow) -> Result<(), Fault> {
    if row.scope.is_empty() || row.scope.len() > covey_core::limits::MAX_STATE_SCOPE_BYTES {
        return Err(Fault::new(StoreReason::Input, "shared state: a scope of no allowed length"));
    }
    if row.bytes.len() > SHARED_ROW_MAX_BYTES {
        let detail = format!("shared state: {} bytes; {SHARED_ROW_MAX_BYTES} fit one row", row.bytes.len());
        return Err(Fault::new(StoreReason::Input, detail));
    }
    Ok(())
}
