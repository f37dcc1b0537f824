//! The record's JSON: RFC 8785 for what is kept and compared, the same members for what is sealed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{ADDRESS_SCHEME, Application, CategoryEntry, LINEAGE_METHOD, Metadata, Record, SIGNATURE_SUITE};
use crate::category::Category;
use crate::hash::push_hex;

/// Categories in the order of their names, as RFC 8785 sorts members.
pub(super) const SORTED: [Category; 7] = [
    Category::Commitment,
    Category::Focus,
    Category::Intent,
    Category::Issue,
    Category::Mood,
    Category::Motivation,
    Category::Perspective,
];

/// The whole record in canonical form.
pub fn record(record: &Record) -> Vec<u8> {
    let mut out = String::with_capacity(2_048);
    out.push_str("{\"categories\":");
    categories(&mut out, &record.categories);
    out.push_str(",\"metadata\":");
    metadata(&mut out, &record.metadata, Form::Canonical);
    out.push('}');
    out.into_bytes()
}

/// The metadata of a sealed envelope.
pub fn envelope_metadata(source: &Metadata) -> Vec<u8> {
    let mut out = String::with_capacity(1_024);
    metadata(&mut out, source, Form::Envelope);
    out.into_bytes()
}

/// The plaintext of a sealed envelope. No application: no member. Zero bytes: an empty text.
pub fn envelope_plaintext(record: &Record) -> Vec<u8> {
    let mut out = String::with_capacity(1_024);
    out.push_str("{\"categories\":");
    categories(&mut out, &record.categories);
    if let Some(application) = &record.metadata.application {
        out.push_str(",\"applicationData\":\"");
        out.push_str(&application.encoded());
        out.push('"');
    }
    out.push('}');
    out.into_bytes()
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Canonical,
    Envelope,
}

fn categories(out: &mut String, entries: &[CategoryEntry; 7]) {
    let mut lead = '{';
    for category in SORTED {
        let entry = &entries[category.index()];
        out.push(lead);
        lead = ',';
        out.push('"');
        out.push_str(category.name());
        out.push_str("\":{\"meta\":{\"key\":\"");
        push_hex(out, entry.key.as_bytes());
        out.push_str("\",\"parents\":[");
        list(out, entry.parents.iter(), |out, parent| string(out, parent));
        out.push_str("]},\"text\":");
        string(out, &entry.text);
        out.push('}');
    }
    out.push('}');
}

fn metadata(out: &mut String, metadata: &Metadata, form: Form) {
    out.push_str("{\"addressScheme\":\"");
    out.push_str(ADDRESS_SCHEME);
    out.push_str("\",\"application\":");
    match &metadata.application {
        Some(application) => write_application(out, application, form),
        None => out.push_str("null"),
    }
    out.push_str(",\"assertionId\":\"");
    metadata.assertion_id.push_to(out);
    out.push_str("\",\"createdBy\":");
    string(out, &metadata.author_label);
    out.push_str(",\"createdByNodeId\":\"");
    out.push_str(metadata.author.spell(&mut [0; 36]));
    out.push_str("\",\"createdTimestamp\":");
    out.push_str(&metadata.created_ms.to_string());
    out.push_str(",\"key\":\"");
    metadata.key.push_to(out);
    out.push_str("\",\"lineage\":");
    lineage(out, metadata, form);
    out.push_str(",\"room\":");
    string(out, &metadata.room);
    out.push_str(",\"sig\":\"");
    URL_SAFE_NO_PAD.encode_string(metadata.signature, out);
    out.push_str("\",\"sigAlg\":\"ed25519\",\"signatureSuite\":\"");
    out.push_str(SIGNATURE_SUITE);
    out.push_str("\",\"to\":");
    match metadata.to {
        Some(to) => {
            out.push('"');
            out.push_str(to.spell(&mut [0; 36]));
            out.push('"');
        }
        None => out.push_str("null"),
    }
    out.push('}');
}

fn lineage(out: &mut String, metadata: &Metadata, form: Form) {
    if metadata.parents.is_empty() {
        out.push_str("null");
        return;
    }
    out.push('{');
    if form == Form::Envelope {
        // Unsigned and dropped by every receiver, but the published schema requires it.
        out.push_str("\"method\":\"");
        out.push_str(LINEAGE_METHOD);
        out.push_str("\",");
    }
    out.push_str("\"parents\":[");
    list(out, metadata.parents.iter(), |out, parent| {
        out.push('"');
        parent.push_to(out);
        out.push('"');
    });
    out.push_str("]}");
}

fn write_application(out: &mut String, application: &Application, form: Form) {
    out.push_str("{\"byteLength\":");
    out.push_str(&application.data().len().to_string());
    if form == Form::Canonical {
        out.push_str(",\"data\":\"");
        out.push_str(&application.encoded());
        out.push('"');
    }
    out.push_str(",\"digest\":\"sha256-");
    push_hex(out, application.digest());
    out.push_str("\",\"encoding\":\"base64url\",\"mediaType\":");
    string(out, application.media_type());
    out.push_str(",\"schema\":");
    string(out, application.schema());
    out.push('}');
}

fn list<T>(out: &mut String, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
}

/// Write a JSON string with the escapes of RFC 8785 §3.2.2.2: the short ones, and `\u00xx` for other controls.
pub fn string(out: &mut String, text: &str) {
    out.push('"');
    // Most texts need no escape; this asks without a branch for each byte.
    let escaped = |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    if text.bytes().fold(0, |found, byte| found | escaped(byte)) == 0 {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut rest = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0c => "\\f",
            b'\r' => "\\r",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[rest..at]);
        rest = at + 1;
        if escape.is_empty() {
            out.push_str("\\u00");
            push_hex(out, &[byte]);
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[rest..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::string;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_written_as_json(text in any::<String>()) {
            let mut out = String::new();
            string(&mut out, &text);
            prop_assert_eq!(&out, &serde_json::to_string(&text).unwrap());
        }
    }
}
