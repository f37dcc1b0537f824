//! The bytes an author signs (MMP 2.0 §8.8.4) and the two commitments inside them.

use crate::category::Category;
use crate::hash::{hex, sha256};
use crate::netstring::Writer;
use crate::record::{ADDRESS_SCHEME, Application, CategoryEntry, Record};

/// The signed payload of a record.
pub fn payload(record: &Record) -> Vec<u8> {
    let metadata = &record.metadata;
    let mut writer = Writer::new("mmp-sig-v2.0\n");
    writer
        .lp_str("2.0")
        .lp_str(ADDRESS_SCHEME)
        .lp_str(&metadata.key.to_string())
        .lp_str(&metadata.author.to_string())
        .lp_str(&metadata.author_label)
        .lp_u64(metadata.created_ms)
        .lp_str(&metadata.room)
        .lp_str(&metadata.to.map(|to| to.to_string()).unwrap_or_default());
    let parents: Vec<String> = metadata.parents.iter().map(ToString::to_string).collect();
    writer
        .sorted_list(parents.iter().map(String::as_str))
        .lp_str(&category_parents_commitment(&record.categories))
        .lp_str(&application_commitment(metadata.application.as_ref()));
    writer.into_bytes()
}

/// Commit to what each category descends from.
pub fn category_parents_commitment(categories: &[CategoryEntry; 7]) -> String {
    let mut writer = Writer::new("mmp-fp-v1\n");
    for (category, entry) in Category::ALL.into_iter().zip(categories) {
        writer.lp_str(category.name()).sorted_list(entry.parents.iter().map(String::as_str));
    }
    hex(&sha256(&[writer.as_bytes()]))
}

/// Commit to the application bytes, or to their absence (§8.8.3).
pub fn application_commitment(application: Option<&Application>) -> String {
    let mut writer = Writer::new("mmp-app-v1\n");
    match application {
        None => {
            writer.lp_str("0");
        }
        Some(application) => {
            writer
                .lp_str("1")
                .lp_str(application.media_type())
                .lp_str(application.schema())
                .lp_str("base64url")
                .lp_u64(application.data().len() as u64)
                .lp_str(&format!("sha256-{}", hex(application.digest())));
        }
    }
    hex(&sha256(&[writer.as_bytes()]))
}
