//! The bytes an author signs (MMP 2.0 §8.8.4) and the two commitments inside them.

use crate::category::Category;
use crate::hash::{Digest, digits, hex, sha256};
use crate::netstring::Writer;
use crate::record::{ADDRESS_SCHEME, Application, CategoryEntry, Record};

/// The signed payload of a record.
pub fn payload(record: &Record) -> Vec<u8> {
    let metadata = &record.metadata;
    let mut writer = Writer::new("mmp-sig-v2.0\n");
    let (mut key, mut to) = (String::with_capacity(80), [0; 36]);
    metadata.key.push_to(&mut key);
    writer
        .lp_str("2.0")
        .lp_str(ADDRESS_SCHEME)
        .lp_str(&key)
        .lp_str(metadata.author.spell(&mut [0; 36]))
        .lp_str(&metadata.author_label)
        .lp_u64(metadata.created_ms)
        .lp_str(&metadata.room)
        .lp_str(metadata.to.as_ref().map_or("", |node| node.spell(&mut to)));
    let parents: Vec<String> = metadata.parents.iter().map(ToString::to_string).collect();
    writer.sorted_list(parents.iter().map(String::as_str));
    writer.lp_str(digits(&category_parents(&record.categories), &mut [0; 64]));
    writer.lp_str(digits(&application(metadata.application.as_ref()), &mut [0; 64]));
    writer.into_bytes()
}

/// Commit to what each category descends from.
pub fn category_parents_commitment(categories: &[CategoryEntry; 7]) -> String {
    hex(&category_parents(categories))
}

fn category_parents(categories: &[CategoryEntry; 7]) -> Digest {
    let mut writer = Writer::new("mmp-fp-v1\n");
    for (category, entry) in Category::ALL.into_iter().zip(categories) {
        writer.lp_str(category.name()).sorted_list(entry.parents.iter().map(String::as_str));
    }
    sha256(&[writer.as_bytes()])
}

/// Commit to the application bytes, or to their absence (§8.8.3).
pub fn application_commitment(held: Option<&Application>) -> String {
    hex(&application(held))
}

fn application(held: Option<&Application>) -> Digest {
    let mut writer = Writer::new("mmp-app-v1\n");
    match held {
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
    sha256(&[writer.as_bytes()])
}
