//! From a `cmb` member to a record, within bounds. Unknown members are passed over: stock peers send several.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use covey_core::address;
use covey_core::category::{COUNT, Category, NEUTRAL};
use covey_core::json::{self, Object};
use covey_core::limits::{
    MAX_AUTHOR_CHARS, MAX_CATEGORY_TEXT_BYTES, MAX_PARENT_CHARS, MAX_PARENTS, MAX_RECORD_TEXT_BYTES, MAX_SAFE_INTEGER,
};
use covey_core::record::CategoryEntry;
use covey_core::{Reason, Refusal, text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Form, LegacyRecord};
use crate::address::is_key;
use crate::limits::MAX_LABEL_BYTES;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    categories: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<Object<Metadata<'a>>>,
    #[serde(borrow, rename = "_e2e")]
    sealing: Option<Object<Sealing<'a>>>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    created_by: Option<Cow<'a, str>>,
    created_at: Option<u64>,
    #[serde(borrow)]
    group: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sig: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sig_alg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    lineage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Sealing<'a> {
    #[serde(borrow)]
    nonce: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    created_by: Cow<'a, str>,
    created_timestamp: u64,
    #[serde(borrow)]
    lineage: Option<Object<Lineage<'a>>>,
    #[serde(borrow)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sig: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sig_alg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature_suite: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Lineage<'a> {
    #[serde(borrow, default)]
    parents: Option<Vec<Cow<'a, str>>>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow)]
    meta: Option<Object<Lineage<'a>>>,
}

#[derive(Deserialize)]
struct Seven<'a> {
    #[serde(borrow)]
    focus: Option<&'a RawValue>,
    #[serde(borrow)]
    issue: Option<&'a RawValue>,
    #[serde(borrow)]
    intent: Option<&'a RawValue>,
    #[serde(borrow)]
    motivation: Option<&'a RawValue>,
    #[serde(borrow)]
    commitment: Option<&'a RawValue>,
    #[serde(borrow)]
    perspective: Option<&'a RawValue>,
    #[serde(borrow)]
    mood: Option<&'a RawValue>,
}

/// The sealed categories and the nonce of a record whose texts are sealed; `None` for one in clear.
///
/// # Errors
/// No record, or a seal without its nonce.
pub fn sealed_parts(cmb: &[u8]) -> Result<Option<(String, String)>, Refusal> {
    let wire: Wire<'_> = json::parse_object(cmb)?;
    let Some(sealed) = wire.categories.map(RawValue::get).filter(|raw| raw.starts_with('"')) else { return Ok(None) };
    let Some(Object(sealing)) = wire.sealing else { return Err(schema("_e2e: missing beside sealed categories")) };
    let sealed: String = serde_json::from_str(sealed).map_err(|_| schema("categories: expected text"))?;
    Ok(Some((sealed, sealing.nonce.into_owned())))
}

/// Read a record in clear, in either form.
///
/// # Errors
/// Whatever is outside the form's shape or our bounds.
pub fn read(cmb: &[u8]) -> Result<LegacyRecord, Refusal> {
    let wire: Wire<'_> = json::parse_object(cmb)?;
    match (&wire.metadata, wire.categories, wire.fields) {
        (Some(_), Some(categories), _) => two_section(wire, categories.get().as_bytes()),
        (None, _, Some(fields)) => flat(wire, fields.get().as_bytes()),
        _ => Err(schema("expected categories with metadata, or fields")),
    }
}

/// Read a record whose categories were sealed, from what they opened to.
///
/// # Errors
/// As for [`read`]; a flat record cannot be sealed on this wire.
pub fn read_opened(cmb: &[u8], opened: &[u8]) -> Result<LegacyRecord, Refusal> {
    two_section(json::parse_object(cmb)?, opened)
}

fn two_section(wire: Wire<'_>, categories: &[u8]) -> Result<LegacyRecord, Refusal> {
    let Some(Object(metadata)) = wire.metadata else { return Err(schema("metadata: missing")) };
    if metadata.signature_suite.is_some() {
        return Err(schema("metadata.signatureSuite: this wire signs by mmp-sig-v2 and names no suite"));
    }
    Ok(LegacyRecord {
        form: Form::TwoSection,
        categories: seven(categories, "")?,
        key: key(&metadata.key)?,
        author_label: author(&metadata.created_by)?,
        created_ms: instant(metadata.created_timestamp)?,
        room: metadata.room.map(|room| label(&room, "room")).transpose()?,
        to: metadata.to.map(|to| label(&to, "to")).transpose()?,
        parents: parents(metadata.lineage, "metadata.lineage.parents")?,
        signature: signature(metadata.sig.as_deref(), metadata.sig_alg.as_deref())?,
    })
}

fn flat(wire: Wire<'_>, fields: &[u8]) -> Result<LegacyRecord, Refusal> {
    let missing = |member: &str| schema(&format!("{member}: missing"));
    let lineage = wire.lineage.map(|raw| json::parse_object::<Lineage<'_>>(raw.get().as_bytes()).map(Object));
    Ok(LegacyRecord {
        form: Form::Flat,
        // Published 1.1 addresses hash what says nothing as "neutral", never as nothing.
        categories: seven(fields, NEUTRAL)?,
        key: key(&wire.key.ok_or_else(|| missing("key"))?)?,
        author_label: author(&wire.created_by.ok_or_else(|| missing("createdBy"))?)?,
        created_ms: instant(wire.created_at.ok_or_else(|| missing("createdAt"))?)?,
        room: wire.group.map(|group| label(&group, "group")).transpose()?,
        to: wire.to.map(|to| label(&to, "to")).transpose()?,
        parents: parents(lineage.transpose()?, "lineage.parents")?,
        signature: signature(wire.sig.as_deref(), wire.sig_alg.as_deref())?,
    })
}

/// Read the seven categories; one that is absent or empty becomes `nothing`.
fn seven(categories: &[u8], nothing: &str) -> Result<[CategoryEntry; COUNT], Refusal> {
    let wire: Seven<'_> = json::parse_object(categories)?;
    let raws = [wire.focus, wire.issue, wire.intent, wire.motivation, wire.commitment, wire.perspective, wire.mood];
    let (mut total, mut entries) = (0, Vec::with_capacity(COUNT));
    for (category, raw) in Category::ALL.into_iter().zip(raws) {
        let entry = said(category, raw, nothing)?;
        total += entry.text.len();
        entries.push(entry);
    }
    if total > MAX_RECORD_TEXT_BYTES {
        return Err(too_large("categories", total, MAX_RECORD_TEXT_BYTES));
    }
    <[CategoryEntry; COUNT]>::try_from(entries).map_err(|_| schema("categories: expected seven"))
}

fn said(category: Category, raw: Option<&RawValue>, nothing: &str) -> Result<CategoryEntry, Refusal> {
    let name = category.name();
    let (found, meta) = match raw.map(RawValue::get) {
        None => (Cow::Borrowed(""), None),
        Some(raw) if raw.starts_with('"') => {
            let found: String = serde_json::from_str(raw).map_err(|_| schema(&format!("{name}: expected text")))?;
            (Cow::Owned(found), None)
        }
        Some(raw) => {
            let said: Said<'_> = json::parse_object(raw.as_bytes())?;
            (said.text, said.meta)
        }
    };
    let found = if found.is_empty() { Cow::Borrowed(nothing) } else { found };
    let text = text::nfc(&found).into_owned();
    if text.len() > MAX_CATEGORY_TEXT_BYTES {
        return Err(too_large(name, text.len(), MAX_CATEGORY_TEXT_BYTES));
    }
    let key = address::category_key(category, &text);
    Ok(CategoryEntry { text, key, parents: parents(meta, name)? })
}

fn parents(lineage: Option<Object<Lineage<'_>>>, member: &str) -> Result<Vec<String>, Refusal> {
    let parents = lineage.and_then(|Object(lineage)| lineage.parents).unwrap_or_default();
    if parents.len() > MAX_PARENTS {
        return Err(too_large(member, parents.len(), MAX_PARENTS));
    }
    if parents.iter().any(|parent| parent.chars().nth(MAX_PARENT_CHARS).is_some()) {
        return Err(Refusal::new(Reason::TooLarge, format!("{member}: a parent over {MAX_PARENT_CHARS} characters")));
    }
    Ok(parents.into_iter().map(Cow::into_owned).collect())
}

fn signature(sig: Option<&str>, algorithm: Option<&str>) -> Result<Option<[u8; 64]>, Refusal> {
    let (Some(sig), Some("ed25519")) = (sig, algorithm) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(sig).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Some).ok_or_else(|| Refusal::new(Reason::BadSignature, "sig: expected 64 bytes as unpadded base64url"))
}

fn key(found: &str) -> Result<String, Refusal> {
    if is_key(found) {
        Ok(found.to_owned())
    } else {
        Err(Refusal::new(Reason::InvalidId, "key: expected 'cmb-' or 'cmb1-' and 64 lower-case hex digits"))
    }
}

fn author(found: &str) -> Result<String, Refusal> {
    if found.is_empty() || found.chars().nth(MAX_AUTHOR_CHARS).is_some() {
        return Err(schema(&format!("createdBy: expected 1 to {MAX_AUTHOR_CHARS} characters")));
    }
    Ok(text::nfc(found).into_owned())
}

fn label(found: &str, member: &str) -> Result<String, Refusal> {
    let found = text::nfc(found);
    if found.len() > MAX_LABEL_BYTES { Err(too_large(member, found.len(), MAX_LABEL_BYTES)) } else { Ok(found.into()) }
}

fn instant(found: u64) -> Result<u64, Refusal> {
    if found > MAX_SAFE_INTEGER { Err(schema("created time: beyond the safe integers")) } else { Ok(found) }
}

fn schema(detail: &str) -> Refusal {
    Refusal::new(Reason::Schema, format!("record: {detail}"))
}

fn too_large(member: &str, found: usize, most: usize) -> Refusal {
    Refusal::new(Reason::TooLarge, format!("record: {member}: {found}, at most {most}"))
}
