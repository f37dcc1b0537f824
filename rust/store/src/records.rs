//! Records in memory: what an admission stores is whole, with the author's own words and signature as evidence.

use covey_core::category::COUNT;
use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::record::{Proof, Record};
use covey_core::svaf::Decision;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::evidence::{self, COLUMN_COUNT, COLUMNS};
use crate::feedback;
use crate::judgement::decision_of;
use crate::lifecycle::Lifecycle;
use crate::limits::PAGE_MAX;
use crate::lineage::{self, RECORD_LEVEL};
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// One record as memory holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Address of the cognition.
    pub key: ContentKey,
    /// The author's signed assertion of it.
    pub assertion_id: AssertionId,
    /// The author.
    pub node_id: NodeId,
    /// The author's label.
    pub author: String,
    /// Author's time, milliseconds since the epoch.
    pub created_ms: u64,
    /// Receiver's time, milliseconds since the epoch.
    pub stored_ms: u64,
    /// Its room.
    pub room: String,
    /// Its one recipient, if it was directed.
    pub to: Option<NodeId>,
    /// Direct parents, sorted.
    pub parents: Vec<ContentKey>,
    /// The seven texts, in category order.
    pub categories: [String; COUNT],
    /// How far understanding of it has come.
    pub lifecycle: Lifecycle,
    /// What admission said; none for own records.
    pub decision: Option<Decision>,
    /// This peer signed it.
    pub own: bool,
    /// What stands behind it: a signature, or a peer of the legacy wire.
    pub proof: Proof,
}

impl StoredRecord {
    /// A record that nothing is known about beside itself.
    pub(crate) fn observed(record: Record, stored_ms: u64) -> Self {
        let metadata = record.metadata;
        Self {
            key: metadata.key,
            assertion_id: metadata.assertion_id,
            node_id: metadata.author,
            author: metadata.author_label,
            created_ms: metadata.created_ms,
            stored_ms,
            room: metadata.room,
            to: metadata.to,
            parents: metadata.parents,
            categories: record.categories.map(|entry| entry.text),
            lifecycle: Lifecycle::Observed,
            decision: None,
            own: false,
            proof: Proof::Signature,
        }
    }
}

/// Which records `recent` returns. The default is all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this author.
    pub author: Option<NodeId>,
    /// Not of this author.
    pub not_author: Option<NodeId>,
    /// Only of this room.
    pub room: Option<String>,
}

/// How a record came to be stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    pub(crate) stored_ms: u64,
    pub(crate) own: bool,
    pub(crate) proof: Proof,
    /// What admission said, and where that is written down.
    pub(crate) decision: Option<(Decision, i64)>,
}

/// What a row says beside the record itself, in the order `stored` takes it, behind the record's columns.
pub(crate) const HELD: &str = "r.stored_ms, r.own, r.decision, r.lifecycle, r.proof";

impl Store {
    /// Returns the record with this content key.
    pub fn record(&self, key: ContentKey) -> Result<Option<StoredRecord>, StoreError> {
        self.read(|view| {
            let row = view
                .prepare_cached(&format!("SELECT {COLUMNS}, {HELD} FROM records r WHERE r.key = ?1"))?
                .query_row([key.as_bytes()], |row| Ok(stored(row, 0)))
                .optional()?;
            row.transpose()
        })
    }

    /// Returns the canonical JSON of the record with this content key, byte for byte as it was signed; nothing for one
    /// that was only heard, which nobody can show as its author's.
    pub fn record_json(&self, key: ContentKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|view| {
            let record = view
                .prepare_cached(&format!("SELECT {COLUMNS} FROM records r WHERE r.key = ?1 AND r.proof = ?2"))?
                .query_row(params![key.as_bytes(), Proof::Signature.as_str()], |row| Ok(evidence::read(row, 0)))
                .optional()?;
            Ok(record.transpose()?.map(|record| record.to_json()))
        })
    }

    /// Returns records, the last stored first.
    pub fn recent(&self, limit: usize, filter: &Filter) -> Result<Vec<StoredRecord>, StoreError> {
        self.read(|view| {
            // One statement for each shape, so that the author's index is used when there is an author.
            let author = if filter.author.is_some() { "r.author_node_id = ?1" } else { "?1 IS NULL" };
            let mut statement = view.prepare_cached(&format!(
                "SELECT {COLUMNS}, {HELD} FROM records r WHERE {author}
                   AND (?2 IS NULL OR r.author_node_id <> ?2) AND (?3 IS NULL OR r.room = ?3)
                 ORDER BY r.id DESC LIMIT ?4"
            ))?;
            let mut rows = statement.query(params![
                filter.author.map(|id| id.to_string()),
                filter.not_author.map(|id| id.to_string()),
                filter.room,
                sql_count(limit.min(PAGE_MAX)),
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(stored(row, 0)?);
            }
            Ok(found)
        })
    }
}

/// Stores records with their lineage, by one statement for a whole transaction.
pub(crate) struct Shelf<'t> {
    transaction: &'t Transaction<'t>,
    put: CachedStatement<'t>,
}

impl<'t> Shelf<'t> {
    pub(crate) fn of(transaction: &'t Transaction<'t>) -> Result<Self, Fault> {
        let (remixed, observed) = (Lifecycle::Remixed.as_str(), Lifecycle::Observed.as_str());
        let put = transaction.prepare_cached(&format!(
            "INSERT INTO records (key, assertion, signature, author_node_id, author, created_ms, room, to_node_id,
               parents, focus, issue, intent, motivation, commitment, perspective, mood, evidence,
               stored_ms, own, decision, decision_id, proof, active_ms, lifecycle)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
               ?22, ?18, CASE WHEN EXISTS (SELECT 1 FROM lineage WHERE parent = ?1 AND levels >= {RECORD_LEVEL})
                 THEN '{remixed}' ELSE '{observed}' END)
             ON CONFLICT (key) DO NOTHING"
        ))?;
        Ok(Self { transaction, put })
    }

    /// Stores a record; returns false, and changes nothing, where its content is held already.
    pub(crate) fn put(&mut self, record: &Record, arrived: Arrived) -> Result<bool, Fault> {
        let metadata = &record.metadata;
        let mut buffer = [0; 36];
        let to = metadata.to.as_ref().map(|to| to.spell(&mut buffer));
        let [focus, issue, intent, motivation, commitment, perspective, mood] = record.texts();
        let stored = self.put.execute(params![
            metadata.key.as_bytes(),
            metadata.assertion_id.as_bytes(),
            metadata.signature,
            metadata.author.spell(&mut [0; 36]),
            metadata.author_label,
            sql_ms(metadata.created_ms),
            metadata.room,
            to,
            evidence::pack_parents(&metadata.parents),
            focus,
            issue,
            intent,
            motivation,
            commitment,
            perspective,
            mood,
            evidence::beyond_columns(record)?,
            sql_ms(arrived.stored_ms),
            arrived.own,
            arrived.decision.map(|(decision, _)| decision.as_str()),
            arrived.decision.map(|(_, id)| id),
            arrived.proof.as_str(),
        ])?;
        if stored == 0 {
            return Ok(false);
        }
        let id = self.transaction.last_insert_rowid();
        lineage::insert(self.transaction, id, record, arrived.stored_ms)?;
        // What a stock peer says of a block is hearsay, and moves nothing.
        if arrived.proof == Proof::Signature {
            feedback::insert(self.transaction, id, record)?;
        }
        Ok(true)
    }
}

/// Reads a record by its place in the table.
pub(crate) fn stored_by_id(view: &Connection, id: i64) -> Result<StoredRecord, Fault> {
    view.prepare_cached(&format!("SELECT {COLUMNS}, {HELD} FROM records r WHERE r.id = ?1"))?
        .query_row([id], |row| Ok(stored(row, 0)))?
}

/// Reads a held record from `COLUMNS` and `HELD`, which start at `at`.
pub(crate) fn stored(row: &Row<'_>, at: usize) -> Result<StoredRecord, Fault> {
    let id: i64 = row.get(at)?;
    let bad = |what: &str| Fault::malformed(what, id);
    let held = at + COLUMN_COUNT;
    let decision: Option<String> = row.get(held + 2)?;
    let lifecycle: String = row.get(held + 3)?;
    let proof: String = row.get(held + 4)?;
    Ok(StoredRecord {
        stored_ms: read_ms(row, held)?,
        own: row.get(held + 1)?,
        decision: decision.map(|word| decision_of(&word).ok_or_else(|| bad("decision"))).transpose()?,
        lifecycle: Lifecycle::parse(&lifecycle).ok_or_else(|| bad("lifecycle"))?,
        proof: Proof::parse(&proof).ok_or_else(|| bad("proof"))?,
        ..StoredRecord::observed(evidence::read(row, at)?, 0)
    })
}
