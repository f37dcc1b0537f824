//! The addresses that records on this wire carry: today's Merkle root, and the flat digests of older releases.

use covey_core::address as core;
use covey_core::category::COUNT;
use covey_core::hash::{Digest, hex, sha256};
use covey_core::netstring::Writer;
use covey_core::text;

const DOMAIN: &str = "mmp-cmb-v1\n";

/// How an address was derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `cmb-` and the Merkle root over the category keys: what 0.12 mints, and what MMP 2.0 kept.
    Merkle,
    /// `cmb-` and the flat digest of a record without parents.
    FlatRoot,
    /// `cmb-` and the flat digest of a record with its parents.
    FlatRemix,
    /// `cmb1-` of MMP 1.1: a flat root, or a remix that binds its receiver.
    Published,
}

impl Scheme {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Merkle => "block-v2",
            Self::FlatRoot => "root-v1",
            Self::FlatRemix => "remix-v1",
            Self::Published => "cmb1",
        }
    }
}

/// Today's address of seven texts.
pub fn merkle(texts: [&str; COUNT]) -> String {
    core::content_key(&core::category_keys(texts)).to_string()
}

/// The flat digest of a record without parents.
pub fn flat_root(texts: [&str; COUNT]) -> Digest {
    sha256(&[flat(texts).lp_str("root").as_bytes()])
}

/// The flat digest of a record with its parents; MMP 1.1 also bound the `receiver`, the reference does not.
pub fn flat_remix(texts: [&str; COUNT], parents: &[String], receiver: Option<&str>) -> Digest {
    let mut writer = flat(texts);
    writer.lp_str("remix").sorted_list(parents.iter().map(String::as_str));
    if let Some(receiver) = receiver {
        writer.lp_str(receiver);
    }
    sha256(&[writer.as_bytes()])
}

/// Say which derivation gives `key`, if any does. `author` is the receiver that a 1.1 remix binds: who made it.
pub fn classify(key: &str, texts: [&str; COUNT], parents: &[String], author: &str) -> Option<Scheme> {
    if let Some(digits) = key.strip_prefix("cmb1-") {
        let digest = if parents.is_empty() { flat_root(texts) } else { flat_remix(texts, parents, Some(author)) };
        return (hex(&digest) == digits).then_some(Scheme::Published);
    }
    let digits = key.strip_prefix("cmb-")?;
    if merkle(texts) == key {
        return Some(Scheme::Merkle);
    }
    if parents.is_empty() {
        return (hex(&flat_root(texts)) == digits).then_some(Scheme::FlatRoot);
    }
    (hex(&flat_remix(texts, parents, None)) == digits).then_some(Scheme::FlatRemix)
}

/// Say whether `key` is spelled like an address of this wire: a prefix and 64 lower-case hexadecimal digits.
pub fn is_key(key: &str) -> bool {
    let digits = key.strip_prefix("cmb1-").or_else(|| key.strip_prefix("cmb-"));
    digits.and_then(covey_core::hash::unhex32).is_some()
}

fn flat(texts: [&str; COUNT]) -> Writer {
    let mut writer = Writer::new(DOMAIN);
    for said in texts {
        writer.lp_str(&text::nfc(said));
    }
    writer
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spelling() {
        assert!(is_key(&format!("cmb-{}", "a".repeat(64))) && is_key(&format!("cmb1-{}", "0".repeat(64))));
        for bad in
            ["", "cmb-", &"a".repeat(64), &format!("cmb-{}", "A".repeat(64)), &format!("cmb2-{}", "a".repeat(64))]
        {
            assert!(!is_key(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn each_derivation_is_told_from_the_others(
            texts in prop::array::uniform7("\\PC{0,8}"),
            parents in prop::collection::vec("[a-f0-9]{4}", 1..4),
        ) {
            let texts = std::array::from_fn(|index| texts[index].as_str());
            prop_assert_eq!(classify(&merkle(texts), texts, &parents, "a"), Some(Scheme::Merkle));
            let root = hex(&flat_root(texts));
            prop_assert_eq!(classify(&format!("cmb-{root}"), texts, &[], "a"), Some(Scheme::FlatRoot));
            prop_assert_eq!(classify(&format!("cmb1-{root}"), texts, &[], "a"), Some(Scheme::Published));
            prop_assert_eq!(classify(&format!("cmb-{root}"), texts, &parents, "a"), None);
            let remix = hex(&flat_remix(texts, &parents, Some("a")));
            prop_assert_eq!(classify(&format!("cmb1-{remix}"), texts, &parents, "a"), Some(Scheme::Published));
            prop_assert_eq!(classify(&format!("cmb1-{remix}"), texts, &parents, "b"), None);
        }
    }
}
