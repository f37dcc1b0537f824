//! Which public key belongs to which node id: bound once, on first sight, and never replaced (MMP 2.0 §3.4).

use covey_core::id::NodeId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::error::{Fault, StoreError, StoreReason};
use crate::limits::BINDINGS_MAX;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// One bound identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Whose key.
    pub node_id: NodeId,
    /// Raw Ed25519 public key.
    pub public_key: [u8; 32],
    /// The name it gave when it was first seen. A label only.
    pub name: String,
    /// Milliseconds since the epoch.
    pub first_seen_ms: u64,
}

/// What became of a request to bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The node was unknown; it is bound now.
    New,
    /// The same key was bound already.
    Known,
    /// Another key is bound; it stays.
    Conflict,
}

impl Bound {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "bound",
            Self::Known => "known",
            Self::Conflict => "conflict",
        }
    }
}

impl Store {
    /// Binds `node_id` to `public_key`, unless it is bound already. The first key stays for ever.
    pub fn bind(&self, node_id: NodeId, public_key: &[u8; 32], name: &str, now_ms: u64) -> Result<Bound, StoreError> {
        // Nearly every call is about a known peer: look before taking the writer.
        if let Some(bound) = self.read(|view| known(view, node_id, public_key))? {
            return Ok(bound);
        }
        self.write(|transaction| {
            if let Some(bound) = known(transaction, node_id, public_key)? {
                return Ok(bound);
            }
            insert(transaction, node_id, public_key, name, now_ms)?;
            Ok(Bound::New)
        })
    }

    /// Forgets which key `node_id` is bound to, because its operator said so. True when there was one.
    pub fn unbind(&self, node_id: NodeId) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let gone = transaction
                .prepare_cached("DELETE FROM bindings WHERE node_id = ?1")?
                .execute([node_id.to_string()])?;
            Ok(gone == 1)
        })
    }

    /// Returns every binding, oldest first.
    pub fn bindings(&self) -> Result<Vec<Binding>, StoreError> {
        self.read(all)
    }
}

pub(crate) fn all(view: &Connection) -> Result<Vec<Binding>, Fault> {
    let mut statement = view.prepare_cached(
        "SELECT node_id, public_key, name, first_seen_ms FROM bindings ORDER BY first_seen_ms, node_id",
    )?;
    let mut rows = statement.query([])?;
    let mut bindings = Vec::new();
    while let Some(row) = rows.next()? {
        let node_id: String = row.get(0)?;
        bindings.push(Binding {
            node_id: NodeId::parse(&node_id).map_err(|_| Fault::malformed("node id", &node_id))?,
            public_key: row.get(1)?,
            name: row.get(2)?,
            first_seen_ms: read_ms(row, 3)?,
        });
    }
    Ok(bindings)
}

fn known(view: &Connection, node_id: NodeId, public_key: &[u8; 32]) -> Result<Option<Bound>, Fault> {
    let held: Option<Vec<u8>> = view
        .prepare_cached("SELECT public_key FROM bindings WHERE node_id = ?1")?
        .query_row([node_id.to_string()], |row| row.get(0))
        .optional()?;
    Ok(held.map(|key| if key == public_key { Bound::Known } else { Bound::Conflict }))
}

fn insert(
    transaction: &Transaction<'_>,
    node_id: NodeId,
    public_key: &[u8; 32],
    name: &str,
    now_ms: u64,
) -> Result<(), Fault> {
    let held: i64 = transaction.query_row("SELECT count(*) FROM bindings", [], |row| row.get(0))?;
    if held >= BINDINGS_MAX {
        return Err(Fault::new(StoreReason::Limit, format!("identities held: {held}; no further identity is bound")));
    }
    transaction
        .prepare_cached("INSERT INTO bindings (node_id, public_key, name, first_seen_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![node_id.to_string(), public_key, name, sql_ms(now_ms)])?;
    Ok(())
}
