//! Records as rows, and back: what is read is what was signed, or it is refused.
//!
//! A row gives a record only if the content key is the address of its texts and the assertion id is the digest of
//! everything its author signed. So whatever was changed in the file, it is found out when it is read.

use covey_core::address;
use covey_core::category::COUNT;
use covey_core::hash::sha256;
use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::record::{CategoryEntry, Metadata, Record, Unverified};
use covey_core::signature::payload;
use rusqlite::Row;

use crate::error::Fault;
use crate::times::read_ms;

const KEY_BYTES: usize = 32;

/// The columns that make a record, in the order `read` takes them. `r` is the table's name in the query.
pub(crate) const COLUMNS: &str = "r.id, r.key, r.assertion, r.signature, r.author_node_id, r.author, r.created_ms,
  r.room, r.to_node_id, r.parents, r.focus, r.issue, r.intent, r.motivation, r.commitment, r.perspective, r.mood,
  r.evidence";
/// How many there are.
pub(crate) const COLUMN_COUNT: usize = 18;

/// Returns a record's canonical JSON as the text it is.
pub(crate) fn json_of(record: &Record) -> Result<String, Fault> {
    String::from_utf8(record.to_json()).map_err(|_| Fault::malformed("text", record.metadata.key))
}

/// Returns the whole JSON where columns cannot say everything the record does.
pub(crate) fn beyond_columns(record: &Record) -> Result<Option<String>, Fault> {
    let plain = record.metadata.application.is_none() && record.categories.iter().all(|entry| entry.parents.is_empty());
    if plain { Ok(None) } else { json_of(record).map(Some) }
}

/// Returns parents as a row holds them.
pub(crate) fn pack_parents(parents: &[ContentKey]) -> Vec<u8> {
    parents.iter().flat_map(|parent| *parent.as_bytes()).collect()
}

/// Reads a record from `COLUMNS`, which start at `at`.
pub(crate) fn read(row: &Row<'_>, at: usize) -> Result<Record, Fault> {
    let id: i64 = row.get(at)?;
    let key = ContentKey::from_bytes(row.get(at + 1)?);
    let evidence: Option<String> = row.get(at + 17)?;
    let record = match evidence {
        Some(json) => parse(&json),
        None => Some(from_columns(row, at)?).filter(is_intact),
    };
    record.filter(|record| record.metadata.key == key).ok_or_else(|| Fault::malformed("record", id))
}

/// Reads a record from its JSON.
pub(crate) fn parse(json: &str) -> Option<Record> {
    let unverified = Unverified::parse(json.as_bytes()).ok()?;
    Some(unverified.claimed().clone()).filter(is_intact)
}

/// Says whether a record still has the address and the assertion it names.
fn is_intact(record: &Record) -> bool {
    let keys = address::category_keys(record.texts());
    address::content_key(&keys) == record.metadata.key
        && AssertionId::from_bytes(sha256(&[&payload(record)])) == record.metadata.assertion_id
}

fn from_columns(row: &Row<'_>, at: usize) -> Result<Record, Fault> {
    let id: i64 = row.get(at)?;
    let mut texts: [String; COUNT] = Default::default();
    for (index, text) in texts.iter_mut().enumerate() {
        *text = row.get(at + 10 + index)?;
    }
    let keys = address::category_keys(texts.each_ref().map(String::as_str));
    let categories = std::array::from_fn(|index| CategoryEntry {
        text: std::mem::take(&mut texts[index]),
        key: keys[index],
        parents: Vec::new(),
    });
    let author: String = row.get(at + 4)?;
    let to: Option<String> = row.get(at + 8)?;
    let node = |text: &str| NodeId::parse(text).map_err(|_| Fault::malformed("node id", id));
    let metadata = Metadata {
        key: ContentKey::from_bytes(row.get(at + 1)?),
        assertion_id: AssertionId::from_bytes(row.get(at + 2)?),
        author: node(&author)?,
        author_label: row.get(at + 5)?,
        created_ms: read_ms(row, at + 6)?,
        room: row.get(at + 7)?,
        to: to.as_deref().map(node).transpose()?,
        parents: unpack_parents(&row.get::<_, Vec<u8>>(at + 9)?).ok_or_else(|| Fault::malformed("parents", id))?,
        application: None,
        signature: row.get(at + 3)?,
    };
    Ok(Record { categories, metadata })
}

fn unpack_parents(packed: &[u8]) -> Option<Vec<ContentKey>> {
    let (keys, rest) = packed.as_chunks::<KEY_BYTES>();
    rest.is_empty().then(|| keys.iter().map(|key| ContentKey::from_bytes(*key)).collect())
}
