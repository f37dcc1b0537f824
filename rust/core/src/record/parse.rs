//! From JSON to the canonical signed projection (MMP 2.0 §8.8.5 steps 1 and 2, update 1's rules).

use std::borrow::Cow;

use super::canonical;
use super::wire::{Stated, WireApplication, WireCategories, WireMetadata, WirePlaintext, WireRecord};
use super::{ADDRESS_SCHEME, Application, CategoryEntry, Metadata, Record, SIGNATURE_SUITE};
use crate::base64url;
use crate::category::{COUNT, Category};
use crate::error::{Reason, Refusal};
use crate::id::{AssertionId, CategoryKey, ContentKey, NodeId};
use crate::json::{Object, parse_object, parse_strict};
use crate::{limits, text};

/// What a whole record has more than its two halves: the braces and names around them, and `"lineage":null`.
const AROUND_HALVES: usize = 64;

/// Names, braces and fixed words of a whole record in JSON, at most.
const AROUND_RECORD: usize = 4_096;

/// Read a whole logical record.
pub fn record(json: &[u8]) -> Result<Record, Refusal> {
    match canonical::record(json) {
        Some(record) => Ok(record),
        None => strict_record(json),
    }
}

/// Read a whole logical record, however it is spelled.
pub fn strict_record(json: &[u8]) -> Result<Record, Refusal> {
    let wire: WireRecord<'_> = parse_object(json)?;
    let data = match &wire.metadata.0.application {
        Stated::There(Object(application)) => {
            Some(application.data.clone().ok_or_else(|| schema("metadata.application.data: missing"))?)
        }
        Stated::Null | Stated::Absent => None,
    };
    let record = project(wire.categories, wire.metadata.0, data)?;
    // The measure counts the record as it came, unsigned members included (§8.8.6).
    check_size(if json.len() > limits::MAX_RECORD_BYTES { measure(json)? } else { json.len() })?;
    Ok(record)
}

/// Read a sealed envelope's clear metadata and opened plaintext.
pub fn envelope(metadata: &[u8], plaintext: &[u8]) -> Result<Record, Refusal> {
    let came = metadata.len() + plaintext.len();
    let metadata: WireMetadata<'_> = parse_object(metadata)?;
    let opened: WirePlaintext<'_> = parse_object(plaintext)?;
    let carried = match &metadata.application {
        Stated::Absent => return Err(schema("metadata.application: missing; null says that there is none")),
        Stated::Null => false,
        Stated::There(Object(application)) if application.data.is_some() => {
            return Err(schema("metadata.application.data: belongs to the sealed part"));
        }
        Stated::There(_) => true,
    };
    if carried != opened.application_data.is_some() {
        return Err(schema("applicationData: expected exactly where metadata.application is"));
    }
    let record = project(opened.categories, metadata, opened.application_data)?;
    // No canonical text is longer than the one it was read from; a record that came short need not be written to know.
    if came > limits::MAX_RECORD_BYTES - AROUND_HALVES {
        check_size(record.to_json().len())?;
    }
    Ok(record)
}

/// Check a record that stands in its projection: what reading one from JSON holds of its values. Lists are sorted.
pub fn check(record: &Record, bytes: usize) -> Result<(), Refusal> {
    check_values(record)?;
    // A byte takes at most six characters of JSON, and what stands around all of them is bounded.
    if bytes > (limits::MAX_RECORD_BYTES - AROUND_RECORD) / 6 {
        check_size(record.to_json().len())?;
    }
    Ok(())
}

/// The rules on values alone.
pub fn check_values(record: &Record) -> Result<(), Refusal> {
    let metadata = &record.metadata;
    let mut total = 0;
    for (category, entry) in Category::ALL.into_iter().zip(&record.categories) {
        total += check_text(&entry.text, category.name())?;
        check_category_parents(&entry.parents, category.name())?;
    }
    if total > limits::MAX_RECORD_TEXT_BYTES {
        return Err(too_large("categories", total, limits::MAX_RECORD_TEXT_BYTES));
    }
    check_author(&metadata.author_label)?;
    if metadata.created_ms > limits::MAX_SAFE_INTEGER {
        return Err(schema("metadata.createdTimestamp: beyond the safe integers"));
    }
    if !text::is_room(&metadata.room) {
        return Err(schema("metadata.room: expected an identifier of §5.8"));
    }
    check_sorted(&metadata.parents)
}

fn check_category_parents(parents: &[String], name: &str) -> Result<(), Refusal> {
    if parents.iter().any(|parent| parent.chars().take(limits::MAX_PARENT_CHARS + 1).count() > limits::MAX_PARENT_CHARS)
    {
        return Err(schema(format!("{name}.meta.parents: at most {} characters each", limits::MAX_PARENT_CHARS)));
    }
    check_sorted(parents)
}

fn check_sorted<T: PartialOrd>(items: &[T]) -> Result<(), Refusal> {
    check_count(items.len())?;
    if items.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(schema("parents: repeated, or not in order"));
    }
    Ok(())
}

fn project(
    categories: WireCategories<'_>,
    metadata: WireMetadata<'_>,
    data: Option<Cow<'_, str>>,
) -> Result<Record, Refusal> {
    let mut total = 0;
    let mut entries = Vec::with_capacity(COUNT);
    for (category, wire) in Category::ALL.into_iter().zip(categories.0) {
        let name = category.name();
        total += check_text(&wire.text, name)?;
        let key = CategoryKey::parse(&wire.meta.0.key)?;
        let parents = category_parents(wire.meta.0.parents, name)?;
        entries.push(CategoryEntry { text: wire.text.into_owned(), key, parents });
    }
    if total > limits::MAX_RECORD_TEXT_BYTES {
        return Err(too_large("categories", total, limits::MAX_RECORD_TEXT_BYTES));
    }
    let categories = <[CategoryEntry; COUNT]>::try_from(entries).map_err(|_| schema("categories: expected seven"))?;
    Ok(Record { categories, metadata: read_metadata(metadata, data)? })
}

fn read_metadata(wire: WireMetadata<'_>, data: Option<Cow<'_, str>>) -> Result<Metadata, Refusal> {
    for (member, found, expected) in [
        ("addressScheme", &wire.address_scheme, ADDRESS_SCHEME),
        ("signatureSuite", &wire.signature_suite, SIGNATURE_SUITE),
        ("sigAlg", &wire.sig_alg, "ed25519"),
    ] {
        if found != expected {
            return Err(schema(format!("metadata.{member}: expected {expected}")));
        }
    }
    check_author(&wire.created_by)?;
    if wire.created_timestamp > limits::MAX_SAFE_INTEGER {
        return Err(schema("metadata.createdTimestamp: beyond the safe integers"));
    }
    if !text::is_room(&wire.room) {
        return Err(schema("metadata.room: expected an identifier of §5.8"));
    }
    let application = match (wire.application, data) {
        (Stated::There(Object(application)), Some(data)) => Some(read_application(&application, &data)?),
        _ => None,
    };
    Ok(Metadata {
        key: ContentKey::parse(&wire.key)?,
        assertion_id: AssertionId::parse(&wire.assertion_id)?,
        author: NodeId::parse(&wire.created_by_node_id)?,
        author_label: wire.created_by.into_owned(),
        created_ms: wire.created_timestamp,
        room: wire.room.into_owned(),
        to: wire.to.map(|to| NodeId::parse(&to)).transpose()?,
        parents: wire
            .lineage
            .map(|Object(lineage)| {
                if lineage.method.as_deref().is_some_and(str::is_empty) {
                    return Err(schema("metadata.lineage.method: expected some text"));
                }
                record_parents(&lineage.parents)
            })
            .transpose()?
            .unwrap_or_default(),
        application,
        signature: read_signature(&wire.sig)?,
    })
}

fn read_application(wire: &WireApplication<'_>, data: &str) -> Result<Application, Refusal> {
    if wire.encoding != "base64url" {
        return Err(schema("metadata.application.encoding: expected base64url"));
    }
    // Bound the work before decoding: four characters for three bytes.
    if data.len() > limits::MAX_APPLICATION_BYTES.div_ceil(3) * 4 {
        return Err(too_large("application data", data.len(), limits::MAX_APPLICATION_BYTES));
    }
    let bytes = base64url::decode(data.as_bytes())
        .ok_or_else(|| schema("application data: expected canonical unpadded base64url"))?;
    let application = Application::received(&wire.media_type, &wire.schema, bytes)?;
    if wire.byte_length != application.data().len() as u64 {
        return Err(Refusal::new(Reason::ApplicationMismatch, "application.byteLength: not the length of the data"));
    }
    let digest = wire.digest.strip_prefix("sha256-").and_then(crate::hash::unhex32);
    if digest.as_ref() != Some(application.digest()) {
        return Err(Refusal::new(Reason::ApplicationMismatch, "application.digest: not the digest of the data"));
    }
    Ok(application)
}

/// Check one category's text and return its length in bytes.
pub fn check_text(text: &str, name: &str) -> Result<usize, Refusal> {
    if text.len() > limits::MAX_CATEGORY_TEXT_BYTES {
        return Err(too_large(name, text.len(), limits::MAX_CATEGORY_TEXT_BYTES));
    }
    text::require_nfc(text, name)?;
    Ok(text.len())
}

/// Check the author's label: 1 to 256 code points, normal form C.
pub fn check_author(label: &str) -> Result<(), Refusal> {
    let length = label.chars().take(limits::MAX_AUTHOR_CHARS + 1).count();
    if length == 0 || length > limits::MAX_AUTHOR_CHARS {
        return Err(schema(format!("metadata.createdBy: expected 1 to {} characters", limits::MAX_AUTHOR_CHARS)));
    }
    text::require_nfc(label, "metadata.createdBy")
}

fn category_parents(wire: Vec<Cow<'_, str>>, name: &str) -> Result<Vec<String>, Refusal> {
    check_count(wire.len())?;
    if wire.iter().any(|parent| parent.chars().take(limits::MAX_PARENT_CHARS + 1).count() > limits::MAX_PARENT_CHARS) {
        return Err(schema(format!("{name}.meta.parents: at most {} characters each", limits::MAX_PARENT_CHARS)));
    }
    let mut parents: Vec<String> = wire.into_iter().map(Cow::into_owned).collect();
    parents.sort_unstable();
    check_unique(&parents)?;
    Ok(parents)
}

fn record_parents(wire: &[Cow<'_, str>]) -> Result<Vec<ContentKey>, Refusal> {
    check_count(wire.len())?;
    let mut parents = wire.iter().map(|parent| ContentKey::parse(parent)).collect::<Result<Vec<_>, _>>()?;
    parents.sort_unstable();
    check_unique(&parents)?;
    Ok(parents)
}

fn check_count(count: usize) -> Result<(), Refusal> {
    if count > limits::MAX_PARENTS {
        return Err(schema(format!("parents: {count}, at most {}", limits::MAX_PARENTS)));
    }
    Ok(())
}

fn check_unique<T: PartialEq>(sorted: &[T]) -> Result<(), Refusal> {
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(schema("parents: repeated"));
    }
    Ok(())
}

fn read_signature(text: &str) -> Result<[u8; 64], Refusal> {
    base64url::decode_signature(text.as_bytes())
        .ok_or_else(|| schema("metadata.sig: expected 64 bytes as canonical unpadded base64url"))
}

/// The RFC 8785 length, which is that of any minified form.
fn measure(json: &[u8]) -> Result<usize, Refusal> {
    Ok(parse_strict(json)?.to_string().len())
}

fn check_size(size: usize) -> Result<(), Refusal> {
    if size > limits::MAX_RECORD_BYTES { Err(too_large("record", size, limits::MAX_RECORD_BYTES)) } else { Ok(()) }
}

fn schema(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Schema, detail)
}

fn too_large(what: &str, size: usize, limit: usize) -> Refusal {
    Refusal::new(Reason::TooLarge, format!("{what}: {size} bytes, at most {limit}"))
}
