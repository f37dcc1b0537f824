//! Tasks that this peer handed out: bytes under their id, which only the engine of tasks reads.

use rusqlite::params;

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::{TASK_MAX_BYTES, TASKS_MAX};
use crate::store::Store;

impl Store {
    /// Keeps tasks under their ids, in place of earlier bytes, and forgets others: one transaction, all or nothing.
    pub fn tasks_put(&self, kept: &[(String, Vec<u8>)], dropped: &[String]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM tasks WHERE id = ?1")?;
            for id in dropped {
                delete.execute([id])?;
            }
            let mut upsert = transaction.prepare_cached(
                "INSERT INTO tasks (id, json) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
            )?;
            for (id, json) in kept {
                if json.len() > TASK_MAX_BYTES {
                    let detail = format!("task: {} bytes; {TASK_MAX_BYTES} fit", json.len());
                    return Err(Fault::new(StoreReason::Input, detail));
                }
                upsert.execute(params![id, json])?;
            }
            let held: i64 = transaction.query_row("SELECT count(*) FROM tasks", [], |row| row.get(0))?;
            if held > TASKS_MAX {
                return Err(Fault::new(StoreReason::Limit, format!("tasks held: {held}; {TASKS_MAX} fit")));
            }
            Ok(())
        })
    }

    /// Returns every kept task with its id, in the order they were first kept.
    pub fn tasks(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read(|view| {
            let mut statement = view.prepare_cached("SELECT id, json FROM tasks ORDER BY seq")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
