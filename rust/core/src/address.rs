//! Content addresses: category keys and the promote-odd Merkle root over them (MMP 2.0 §8.2.1, §8.8.2).

use crate::category::{COUNT, Category};
use crate::hash::{Digest, sha256, sha256_fixed};
use crate::id::{CategoryKey, ContentKey};
use crate::netstring::{LENGTH_DIGITS, decimal};
use crate::text;

/// The domain and the name of a category, as the bytes behind its address begin.
const fn head(category: Category) -> &'static str {
    match category {
        Category::Focus => "mmp-cmb-v1\n5:focus",
        Category::Issue => "mmp-cmb-v1\n5:issue",
        Category::Intent => "mmp-cmb-v1\n6:intent",
        Category::Motivation => "mmp-cmb-v1\n10:motivation",
        Category::Commitment => "mmp-cmb-v1\n10:commitment",
        Category::Perspective => "mmp-cmb-v1\n11:perspective",
        Category::Mood => "mmp-cmb-v1\n4:mood",
    }
}

/// The address of one category's text, whatever normal form it is given in.
pub fn category_key(category: Category, said: &str) -> CategoryKey {
    let said = text::nfc(said);
    let mut buffer = [0; LENGTH_DIGITS];
    let length = decimal(said.len() as u64, &mut buffer);
    CategoryKey::from_bytes(sha256(&[head(category).as_bytes(), length, b":", said.as_bytes()]))
}

/// The addresses of the seven texts, in order.
pub fn category_keys(texts: [&str; COUNT]) -> [CategoryKey; COUNT] {
    std::array::from_fn(|index| category_key(Category::ALL[index], texts[index]))
}

/// The address of a record's cognition: the Merkle root over its category keys. A node without a sibling is promoted as
/// it is, never doubled; of seven leaves that is the last one, once.
pub fn content_key(keys: &[CategoryKey; COUNT]) -> ContentKey {
    let leaves = keys.map(|key| {
        let mut leaf = [0; 33];
        leaf[1..].copy_from_slice(key.as_bytes());
        sha256_fixed(&leaf)
    });
    let pair = |at: usize| parent(&leaves[at], &leaves[at + 1]);
    let (left, right) = (parent(&pair(0), &pair(2)), parent(&pair(4), &leaves[6]));
    ContentKey::from_bytes(parent(&left, &right))
}

fn parent(left: &Digest, right: &Digest) -> Digest {
    let mut node = [1; 65];
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    sha256_fixed(&node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netstring::Writer;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    #[test]
    fn pinned_addresses() {
        // The neutral record: the address every implementation gives to having said nothing.
        let keys = category_keys(["neutral"; COUNT]);
        assert_eq!(keys[0].to_string(), "b16614115626afed2b1ac75d4637b7eb50fce929dae1cae53bb13067ac4de583");
        assert_eq!(keys[6].to_string(), "9f86463ea205c4797f96d28a40c8c8d5ea03c731a3b095645af3a1a6302424b8");
        let mixed = ["coding", "neutral", "neutral", "neutral", "neutral", "日本語のテスト", "neutral"];
        assert_eq!(
            content_key(&category_keys(mixed)).to_string(),
            "cmb-1ba2c7af0417f64023623dcaadc93ad2d26aece2e2b7ce8d39c3eeb7b4f2b189"
        );
    }

    #[test]
    fn heads_are_what_a_writer_of_canonical_bytes_writes() {
        for category in Category::ALL {
            let mut writer = Writer::new("mmp-cmb-v1\n");
            writer.lp_str(category.name());
            assert_eq!(head(category).as_bytes(), writer.as_bytes());
        }
    }

    proptest! {
        /// Texts on both sides of what is hashed in one call.
        #[test]
        fn an_address_is_the_digest_of_its_canonical_bytes(said in "[a-z ]{0,400}") {
            let mut writer = Writer::new("mmp-cmb-v1\n");
            writer.lp_str("focus").lp_str(&said);
            let digest = sha256(&[writer.as_bytes()]);
            prop_assert_eq!(category_key(Category::Focus, &said), CategoryKey::from_bytes(digest));
        }

        #[test]
        fn addresses_ignore_the_normal_form(said in "\\PC{0,16}") {
            let decomposed: String = said.nfd().collect();
            prop_assert_eq!(category_key(Category::Focus, &said), category_key(Category::Focus, &decomposed));
        }

        #[test]
        fn addresses_tell_categories_apart(said in ".{0,16}") {
            prop_assert_ne!(category_key(Category::Focus, &said), category_key(Category::Issue, &said));
        }
    }
}
