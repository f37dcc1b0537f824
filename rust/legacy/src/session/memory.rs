//! What a connection remembers of its peer's own records: their addresses, the oldest forgotten first.

use std::collections::{BTreeSet, VecDeque};

use crate::limits::MAX_AUTHORED_KEYS;

#[derive(Default)]
pub(super) struct Authored {
    known: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Authored {
    pub(super) fn add(&mut self, key: &str) {
        if !self.known.insert(key.to_owned()) {
            return;
        }
        self.order.push_back(key.to_owned());
        if self.order.len() > MAX_AUTHORED_KEYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.known.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_a_repeat_counts_once() {
        let mut authored = Authored::default();
        for number in 0..=MAX_AUTHORED_KEYS {
            authored.add(&number.to_string());
            authored.add(&number.to_string());
        }
        assert!(!authored.has("0") && authored.has("1") && authored.has(&MAX_AUTHORED_KEYS.to_string()));
        assert_eq!((authored.known.len(), authored.order.len()), (MAX_AUTHORED_KEYS, MAX_AUTHORED_KEYS));
    }
}
