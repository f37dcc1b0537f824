//! Content addresses: category keys and the promote-odd Merkle root over them (MMP 2.0 §8.2.1, §8.8.2).

use crate::category::{COUNT, Category};
use crate::hash::{Digest, sha256};
use crate::id::{CategoryKey, ContentKey};
use crate::netstring::Writer;
use crate::text;

const CATEGORY_DOMAIN: &str = "mmp-cmb-v1\n";

/// The address of one category's text, whatever normal form it is given in.
pub fn category_key(category: Category, said: &str) -> CategoryKey {
    let mut writer = Writer::new(CATEGORY_DOMAIN);
    writer.lp_str(category.name()).lp_str(&text::nfc(said));
    CategoryKey::from_bytes(sha256(&[writer.as_bytes()]))
}

/// The addresses of the seven texts, in order.
pub fn category_keys(texts: [&str; COUNT]) -> [CategoryKey; COUNT] {
    std::array::from_fn(|index| category_key(Category::ALL[index], texts[index]))
}

/// The address of a record's cognition: the Merkle root over its category keys.
pub fn content_key(keys: &[CategoryKey; COUNT]) -> ContentKey {
    let mut level = keys.map(|key| sha256(&[&[0], key.as_bytes()])).to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    // Seven leaves always leave one root.
    ContentKey::from_bytes(level.first().copied().unwrap_or_default())
}

/// Hash a pair; a node without a sibling is promoted as it is, never doubled.
fn parent(pair: &[Digest]) -> Digest {
    match pair {
        [left, right] => sha256(&[&[1], left, right]),
        [odd] => *odd,
        _ => Digest::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
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
