//! The bytes an author signs (MMP 2.0 §8.8.4) and the two commitments inside them.

use crate::category::Category;
use crate::hash::{Digest, digits, hex, sha256};
use crate::netstring::Writer;
use crate::record::{ADDRESS_SCHEME, Application, CategoryEntry, Record};

/// The commitment of a record none of whose categories has a parent: most blocks have this one.
const NO_PARENTS: Digest = [
    0xbc, 0x0e, 0xf8, 0x6d, 0xa2, 0xea, 0x71, 0xa8, 0x13, 0x57, 0xa4, 0xc2, 0x72, 0xd6, 0x49, 0xad, 0x4e, 0x31, 0x0c,
    0x46, 0x47, 0xe6, 0xdd, 0x71, 0xfc, 0x08, 0x2e, 0x54, 0x6a, 0x2f, 0xcb, 0xba,
];
/// The commitment to no application.
const NO_APPLICATION: Digest = [
    0x28, 0xcd, 0x4e, 0x3d, 0x82, 0x8c, 0xf5, 0xd0, 0x09, 0xc5, 0x0c, 0x69, 0x58, 0xa9, 0x2d, 0xf1, 0xab, 0xc8, 0xe4,
    0x01, 0x1e, 0x27, 0xc9, 0x7f, 0x99, 0x5f, 0x57, 0x76, 0xcd, 0x2e, 0x33, 0xba,
];

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
    if categories.iter().all(|entry| entry.parents.is_empty()) {
        return NO_PARENTS;
    }
    digest_of_parents(categories)
}

fn digest_of_parents(categories: &[CategoryEntry; 7]) -> Digest {
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
    if held.is_none() { NO_APPLICATION } else { digest_of_application(held) }
}

fn digest_of_application(held: Option<&Application>) -> Digest {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CategoryKey;

    #[test]
    fn what_most_blocks_commit_to_is_what_would_be_computed() {
        let nothing =
            || CategoryEntry { text: String::new(), key: CategoryKey::from_bytes([0; 32]), parents: Vec::new() };
        let mut categories: [CategoryEntry; 7] = std::array::from_fn(|_| nothing());
        assert_eq!(hex(&NO_PARENTS), hex(&digest_of_parents(&categories)));
        assert_eq!(category_parents(&categories), NO_PARENTS);
        assert_eq!(hex(&NO_APPLICATION), hex(&digest_of_application(None)));
        categories[6].parents.push("x".to_owned());
        assert_eq!(category_parents(&categories), digest_of_parents(&categories));
        assert_ne!(category_parents(&categories), NO_PARENTS);
    }
}
