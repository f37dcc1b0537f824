//! From a record to the JSON a stock peer reads, in the order it writes itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use covey_core::category::Category;
use covey_core::{Reason, Refusal};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::LegacyRecord;
use crate::seal::Channel;

#[derive(Serialize)]
struct Cmb<'a> {
    categories: Box<RawValue>,
    metadata: Metadata<'a>,
    #[serde(rename = "_e2e", skip_serializing_if = "Option::is_none")]
    sealing: Option<Sealing>,
}

#[derive(Serialize)]
struct Sealing {
    nonce: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    key: &'a str,
    created_by: &'a str,
    created_timestamp: u64,
    lineage: Option<Lineage<'a>>,
    room: Option<&'a str>,
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sig: Option<String>,
    sig_alg: &'static str,
}

#[derive(Serialize)]
struct Lineage<'a> {
    parents: &'a [String],
    method: &'static str,
}

#[derive(Serialize)]
struct Said<'a> {
    text: &'a str,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    key: String,
    parents: &'a [String],
}

/// Write a two-section record in clear.
///
/// # Errors
/// None that a record's text can cause; the writer's own are passed on.
pub fn clear(record: &LegacyRecord) -> Result<Box<RawValue>, Refusal> {
    finish(record, categories(record)?, None)
}

/// Write a two-section record with its categories sealed.
///
/// # Errors
/// More text than the cipher takes.
pub fn sealed(record: &LegacyRecord, channel: &Channel, nonce: [u8; 12]) -> Result<Box<RawValue>, Refusal> {
    let (sealed, nonce) = channel.seal(nonce, categories(record)?.get().as_bytes().to_vec())?;
    finish(record, raw(&sealed)?, Some(Sealing { nonce }))
}

fn finish(
    record: &LegacyRecord,
    categories: Box<RawValue>,
    sealing: Option<Sealing>,
) -> Result<Box<RawValue>, Refusal> {
    // A stock peer reads "SVAF-v2" and nothing else here; it is not signed.
    let lineage = (!record.parents.is_empty()).then_some(Lineage { parents: &record.parents, method: "SVAF-v2" });
    let metadata = Metadata {
        key: &record.key,
        created_by: &record.author_label,
        created_timestamp: record.created_ms,
        lineage,
        room: record.room.as_deref(),
        to: record.to.as_deref(),
        sig: record.signature.map(|signature| URL_SAFE_NO_PAD.encode(signature)),
        sig_alg: "ed25519",
    };
    raw(&Cmb { categories, metadata, sealing })
}

fn categories(record: &LegacyRecord) -> Result<Box<RawValue>, Refusal> {
    let said = record
        .categories
        .each_ref()
        .map(|entry| Said { text: &entry.text, meta: Meta { key: entry.key.to_string(), parents: &entry.parents } });
    raw(&InOrder(&said))
}

/// The seven under their names, in order.
struct InOrder<'a>(&'a [Said<'a>; 7]);

impl Serialize for InOrder<'_> {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(Category::ALL.map(Category::name).into_iter().zip(self.0))
    }
}

fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, Refusal> {
    to_raw_value(value).map_err(|error| Refusal::new(Reason::Schema, format!("record: {error}")))
}
