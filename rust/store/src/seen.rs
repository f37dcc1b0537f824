//! The seen-set: what the intake must still recognise after a restart, newest kept.

use covey_core::id::{AssertionId, ContentKey};
use covey_core::intake::SeenId;
use rusqlite::{CachedStatement, Connection, Transaction, params};

use crate::error::Fault;
use crate::limits::SEEN_KEPT;
use crate::recall::sql_count;

/// Adds ids, by one statement for a whole transaction.
pub(crate) struct Marks<'t>(CachedStatement<'t>);

impl<'t> Marks<'t> {
    pub(crate) fn of(transaction: &'t Transaction<'_>) -> Result<Self, Fault> {
        Ok(Self(transaction.prepare_cached("INSERT INTO seen (kind, held, mark) VALUES (?1, ?2, ?3)")?))
    }

    /// Adds one id; `held` says whether memory took the block.
    pub(crate) fn append(&mut self, id: SeenId, held: bool) -> Result<(), Fault> {
        let (kind, bytes) = match &id {
            SeenId::Memory(key) => (0_i64, key.as_bytes()),
            SeenId::Directed(assertion) => (1, assertion.as_bytes()),
        };
        self.0.execute(params![kind, held, bytes])?;
        Ok(())
    }
}

/// Drops ids past the bound.
pub(crate) fn bound(transaction: &Transaction<'_>) -> Result<(), Fault> {
    transaction.prepare_cached("DELETE FROM seen WHERE id <= (SELECT max(id) FROM seen) - ?1")?.execute([SEEN_KEPT])?;
    Ok(())
}

/// Returns the newest ids, oldest first, each with whether memory took the block.
pub(crate) fn newest(view: &Connection, limit: usize) -> Result<Vec<(SeenId, bool)>, Fault> {
    let mut statement = view.prepare_cached(
        "SELECT id, kind, held, mark FROM (SELECT * FROM seen ORDER BY id DESC LIMIT ?1) ORDER BY id",
    )?;
    let mut rows = statement.query([sql_count(limit)])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get(3)?;
        let id = match row.get::<_, i64>(1)? {
            0 => SeenId::Memory(ContentKey::from_bytes(bytes)),
            1 => SeenId::Directed(AssertionId::from_bytes(bytes)),
            _ => return Err(Fault::malformed("mark of the seen-set", row.get::<_, i64>(0)?)),
        };
        ids.push((id, row.get(2)?));
    }
    Ok(ids)
}
