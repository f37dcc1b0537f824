//! Authority statements, as they came: bytes under the id they were held by. What counts is judged again each time
//! they are read (MMP 2.0 §6.6.8); nothing about their standing is kept here.

use rusqlite::params;

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::{STATEMENT_MAX_BYTES, STATEMENTS_MAX};
use crate::store::Store;

impl Store {
    /// Keeps statements by their ids, and forgets others, in one transaction. What is held already stays as it is.
    pub fn statements_put(&self, kept: &[(String, Vec<u8>)], dropped: &[String]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM authority WHERE id = ?1")?;
            for id in dropped {
                delete.execute([id])?;
            }
            let mut insert =
                transaction.prepare_cached("INSERT OR IGNORE INTO authority (id, json) VALUES (?1, ?2)")?;
            for (id, json) in kept {
                if json.len() > STATEMENT_MAX_BYTES {
                    let detail = format!("statement: {} bytes; {STATEMENT_MAX_BYTES} fit", json.len());
                    return Err(Fault::new(StoreReason::Input, detail));
                }
                insert.execute(params![id, json])?;
            }
            let held: i64 = transaction.query_row("SELECT count(*) FROM authority", [], |row| row.get(0))?;
            if held > STATEMENTS_MAX {
                return Err(Fault::new(StoreReason::Limit, format!("statements held: {held}; {STATEMENTS_MAX} fit")));
            }
            Ok(())
        })
    }

    /// Returns every kept statement with its id, as they are on the disk. A disk is not a signature: judge them.
    pub fn statements(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached("SELECT id, json FROM authority ORDER BY id")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
