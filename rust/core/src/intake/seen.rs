//! By what a judged block is known again.

use std::hash::{Hash, Hasher};

use crate::id::{AssertionId, ContentKey};

/// What was judged before: a block's cognition, and one author's assertion of it. They never collide, being digests of
/// different domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenId {
    /// By content key; memory takes a cognition once.
    Memory(ContentKey),
    /// By assertion id; a directed record is heard once, also where memory knew its words.
    Directed(AssertionId),
}

impl Hash for SeenId {
    /// A part of the digest finds it, under the map's own key: who would crowd a place has to find digests alike in all of
    /// it, 2^64 tries for two, and those are told apart all the same.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let digest = match self {
            Self::Memory(key) => key.as_bytes(),
            Self::Directed(id) => id.as_bytes(),
        };
        state.write(&digest[..FOUND_BY]);
    }
}

/// Bytes of a digest by which it is found.
const FOUND_BY: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn digests_alike_in_what_finds_them_are_told_apart() {
        let mut digests = [[7; 32]; 3];
        digests[1][31] = 8;
        digests[2][0] = 8;
        let ids = digests.map(|digest| SeenId::Memory(ContentKey::from_bytes(digest)));
        let directed = digests.map(|digest| SeenId::Directed(AssertionId::from_bytes(digest)));
        let places: HashMap<_, _> = ids.into_iter().chain(directed).zip(0..).collect();
        assert_eq!(places.len(), 6);
        for (place, id) in (0..).zip(ids.iter().chain(&directed)) {
            assert_eq!(places.get(id), Some(&place));
        }
    }
}
