//! Records in memory: what an admission stores is whole, with the author's own words and signature as evidence.
//!
//! The canonical JSON is the one source. Columns beside it are for finding; when a row is read, both must agree and
//! the content key must be the address of the texts, or the row is refused as malformed.

use covey_core::address;
use covey_core::category::COUNT;
use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::record::{Record, Unverified};
use covey_core::svaf::Decision;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::error::{Fault, StoreError};
use crate::judgement::decision_of;
use crate::limits::PAGE_MAX;
use crate::lineage;
use crate::recall::sql_count;
use crate::store::Store;
use crate::times::{read_ms, sql_ms};

/// How far understanding of a record has come (MMP 2.0 §6.5). Later words come with authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Held; nothing built on it yet.
    Observed,
    /// A stored record names it as a parent.
    Remixed,
}

impl Lifecycle {
    /// Returns the specification's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Remixed => "remixed",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Observed, Self::Remixed].into_iter().find(|lifecycle| lifecycle.as_str() == word)
    }
}

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
    pub(crate) decision: Option<Decision>,
}

const COLUMNS: &str = "evidence, id, stored_ms, own, decision, lifecycle, key";

impl Store {
    /// Returns the record with this content key.
    pub fn record(&self, key: ContentKey) -> Result<Option<StoredRecord>, StoreError> {
        self.read(|view| {
            let row = view
                .prepare_cached(&format!("SELECT {COLUMNS} FROM records WHERE key = ?1"))?
                .query_row([key.as_bytes()], |row| Ok(stored_row(row)))
                .optional()?;
            row.transpose()
        })
    }

    /// Returns the canonical JSON of the record with this content key, as it was signed.
    pub fn record_json(&self, key: ContentKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|view| {
            let json: Option<String> = view
                .prepare_cached("SELECT evidence FROM records WHERE key = ?1")?
                .query_row([key.as_bytes()], |row| row.get(0))
                .optional()?;
            Ok(json.map(String::into_bytes))
        })
    }

    /// Returns records, the last stored first.
    pub fn recent(&self, limit: usize, filter: &Filter) -> Result<Vec<StoredRecord>, StoreError> {
        self.read(|view| {
            // One statement for each shape, so that the author's index is used when there is an author.
            let mut query = format!("SELECT {COLUMNS} FROM records WHERE (?2 IS NULL OR author_node_id <> ?2)");
            query.push_str(" AND (?3 IS NULL OR room = ?3)");
            query.push_str(if filter.author.is_some() { " AND author_node_id = ?1" } else { " AND ?1 IS NULL" });
            query.push_str(" ORDER BY id DESC LIMIT ?4");
            let mut statement = view.prepare_cached(&query)?;
            let mut rows = statement.query(params![
                filter.author.map(|id| id.to_string()),
                filter.not_author.map(|id| id.to_string()),
                filter.room,
                sql_count(limit.min(PAGE_MAX)),
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(stored_row(row)?);
            }
            Ok(found)
        })
    }
}

/// Stores a record with its lineage. `None` when its content is held already; the first assertion stays.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    record: &Record,
    evidence: &str,
    arrived: Arrived,
) -> Result<Option<i64>, Fault> {
    let metadata = &record.metadata;
    let remixed = lineage::has_child(transaction, metadata.key)?;
    let lifecycle = if remixed { Lifecycle::Remixed } else { Lifecycle::Observed };
    let inserted = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO records (key, assertion, author_node_id, author, created_ms, stored_ms, room,
               to_node_id, own, decision, lifecycle, evidence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            metadata.key.as_bytes(),
            metadata.assertion_id.as_bytes(),
            metadata.author.to_string(),
            metadata.author_label,
            sql_ms(metadata.created_ms),
            sql_ms(arrived.stored_ms),
            metadata.room,
            metadata.to.map(|id| id.to_string()),
            arrived.own,
            arrived.decision.map(Decision::as_str),
            lifecycle.as_str(),
            evidence,
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    let id = transaction.last_insert_rowid();
    lineage::insert(transaction, id, record)?;
    Ok(Some(id))
}

/// Reads a record by its place in the table.
pub(crate) fn stored_by_id(view: &Connection, id: i64) -> Result<StoredRecord, Fault> {
    view.prepare_cached(&format!("SELECT {COLUMNS} FROM records WHERE id = ?1"))?
        .query_row([id], |row| Ok(stored_row(row)))?
}

/// Returns a record's canonical JSON as the text it is.
pub(crate) fn evidence_of(record: &Record) -> Result<String, Fault> {
    String::from_utf8(record.to_json()).map_err(|_| Fault::malformed("text", record.metadata.key))
}

/// Builds a record from `evidence` and the columns from `at` on: id, `stored_ms`, own, decision, lifecycle, key.
pub(crate) fn stored(row: &Row<'_>, at: usize, evidence: &str) -> Result<StoredRecord, Fault> {
    let id: i64 = row.get(at)?;
    let bad = |what: &str| Fault::malformed(what, id);
    let record = parse(evidence).ok_or_else(|| bad("record"))?;
    let key = ContentKey::from_bytes(row.get(at + 5)?);
    if key != record.metadata.key {
        return Err(bad("content key"));
    }
    let decision: Option<String> = row.get(at + 3)?;
    let lifecycle: String = row.get(at + 4)?;
    let decision = decision.map(|word| decision_of(&word).ok_or_else(|| bad("decision"))).transpose()?;
    let metadata = record.metadata;
    Ok(StoredRecord {
        key,
        assertion_id: metadata.assertion_id,
        node_id: metadata.author,
        author: metadata.author_label,
        created_ms: metadata.created_ms,
        stored_ms: read_ms(row, at + 1)?,
        room: metadata.room,
        to: metadata.to,
        parents: metadata.parents,
        categories: record.categories.map(|entry| entry.text),
        lifecycle: Lifecycle::parse(&lifecycle).ok_or_else(|| bad("lifecycle"))?,
        decision,
        own: row.get(at + 2)?,
    })
}

/// Reads evidence back. Only what still has the address it claims is a record.
pub(crate) fn parse(evidence: &str) -> Option<Record> {
    let unverified = Unverified::parse(evidence.as_bytes()).ok()?;
    let record = unverified.claimed();
    let keys = address::category_keys(record.texts());
    (address::content_key(&keys) == record.metadata.key).then(|| record.clone())
}

fn stored_row(row: &Row<'_>) -> Result<StoredRecord, Fault> {
    let evidence: String = row.get(0)?;
    stored(row, 1, &evidence)
}
