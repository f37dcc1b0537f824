//! What a peer carries across a restart: named values (budgets, windows), and which keys have woken it.

use covey_core::id::ContentKey;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::{STATE_MAX_NAMES, STATE_NAME_MAX_BYTES, STATE_VALUE_MAX_BYTES, WOKEN_KEPT};
use crate::store::Store;

impl Store {
    /// Returns the value kept under `name`.
    pub fn state_get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|view| {
            Ok(view
                .prepare_cached("SELECT value FROM state WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()?)
        })
    }

    /// Keeps `value` under `name`, in place of an earlier one.
    pub fn state_put(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.state_put_many(&[(name, value)], &[])
    }

    /// Keeps several values, and marks blocks as having woken the agent, in one transaction: all of it or nothing.
    ///
    /// A block wakes once: a key that is marked already stays marked.
    pub fn state_put_many(&self, values: &[(&str, &[u8])], woken: &[ContentKey]) -> Result<(), StoreError> {
        self.write(|transaction| {
            for (name, value) in values {
                check_sizes(name, value)?;
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO state (name, value) VALUES (?1, ?2)")?
                    .execute(params![name, value])?;
            }
            let names: i64 = transaction.query_row("SELECT count(*) FROM state", [], |row| row.get(0))?;
            if names > STATE_MAX_NAMES {
                return Err(Fault::new(
                    StoreReason::Limit,
                    format!("state names held: {STATE_MAX_NAMES}; no further name is kept"),
                ));
            }
            mark_woken(transaction, woken)
        })
    }

    /// Says whether the block with this key has woken the agent before.
    pub fn woken(&self, key: ContentKey) -> Result<bool, StoreError> {
        self.read(|view| {
            Ok(view
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM woken WHERE key = ?1)")?
                .query_row([key.as_bytes()], |row| row.get(0))?)
        })
    }
}

fn mark_woken(transaction: &Transaction<'_>, keys: &[ContentKey]) -> Result<(), Fault> {
    for key in keys {
        transaction.prepare_cached("INSERT OR IGNORE INTO woken (key) VALUES (?1)")?.execute([key.as_bytes()])?;
    }
    if !keys.is_empty() {
        transaction
            .prepare_cached("DELETE FROM woken WHERE id <= (SELECT max(id) FROM woken) - ?1")?
            .execute([WOKEN_KEPT])?;
    }
    Ok(())
}

fn check_sizes(name: &str, value: &[u8]) -> Result<(), Fault> {
    if name.is_empty() || name.len() > STATE_NAME_MAX_BYTES {
        return Err(Fault::new(
            StoreReason::Input,
            format!("state name: {} bytes; 1 to {STATE_NAME_MAX_BYTES} fit", name.len()),
        ));
    }
    if value.len() > STATE_VALUE_MAX_BYTES {
        return Err(Fault::new(
            StoreReason::Input,
            format!("state value: {} bytes; {STATE_VALUE_MAX_BYTES} fit", value.len()),
        ));
    }
    Ok(())
}
