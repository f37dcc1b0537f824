//! Milliseconds since the epoch, between the core's unsigned and `SQLite`'s signed integers.

use rusqlite::Row;

use crate::error::Fault;

/// A time as a column takes it. What no clock can show is the latest a column can hold.
pub(crate) fn sql_ms(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

/// A time as a column holds it; a negative one is a malformed row.
pub(crate) fn read_ms(row: &Row<'_>, at: usize) -> Result<u64, Fault> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| Fault::malformed("time", value))
}
