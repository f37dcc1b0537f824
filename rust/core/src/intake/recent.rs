//! Bounded memory, first in first out, from which the effects of a failed call can be withdrawn exactly.
//!
//! The last `capacity` entries are live. Behind them, up to a rollback span of dormant ones is kept that nothing reads: when a
//! withdrawal takes entries out, those become live again, as if what pushed them out had never come.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::limits::ROLLBACK_SPAN;

/// Which call an entry came from.
pub(super) type Call = u64;

/// The call of entries that are never withdrawn: restored ones and one's own.
pub(super) const SETTLED: Call = 0;

/// Items in order of arrival.
#[derive(Debug)]
pub(super) struct Recent<T> {
    entries: VecDeque<(Call, T)>,
    capacity: usize,
}

impl<T> Recent<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity }
    }

    /// Add an item; returns what fell out at the far end.
    pub(super) fn push(&mut self, call: Call, item: T) -> Option<T> {
        let full = self.entries.len() >= self.capacity + ROLLBACK_SPAN;
        let fallen = if full { self.entries.pop_front() } else { None };
        self.entries.push_back((call, item));
        fallen.map(|(_, item)| item)
    }

    /// The live items, newest first.
    pub(super) fn live(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().rev().take(self.capacity).map(|(_, item)| item)
    }

    /// The oldest live item.
    fn oldest_live(&self) -> Option<&T> {
        let dormant = self.entries.len().saturating_sub(self.capacity);
        self.entries.get(dormant).map(|(_, item)| item)
    }

    /// Take out everything a call put in; returns whether there was anything.
    pub(super) fn withdraw(&mut self, call: Call) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(from, _)| *from == SETTLED || *from != call);
        self.entries.len() != before
    }
}

/// Keys in order of arrival, with a value each, found in constant time.
#[derive(Debug)]
pub(super) struct RecentMap<K, V> {
    order: Recent<(u64, K, V)>,
    /// Place in the order, and value, of each key's newest entry; dormant keys included.
    places: HashMap<K, (u64, V)>,
    next: u64,
}

impl<K: Copy + Eq + Hash, V: Copy> RecentMap<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { order: Recent::new(capacity), places: HashMap::new(), next: 0 }
    }

    /// The value of a live key.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let (oldest, ..) = *self.order.oldest_live()?;
        self.places.get(key).filter(|(place, _)| *place >= oldest).map(|(_, value)| *value)
    }

    /// Remember a key, as the newest; a live entry of it is superseded.
    pub(super) fn insert(&mut self, call: Call, key: K, value: V) {
        let place = self.next;
        self.next += 1;
        self.places.insert(key, (place, value));
        if let Some((fallen, key, _)) = self.order.push(call, (place, key, value))
            && self.places.get(&key).is_some_and(|(place, _)| *place == fallen)
        {
            self.places.remove(&key);
        }
    }

    /// Forget everything a call put in.
    pub(super) fn withdraw(&mut self, call: Call) {
        if self.order.withdraw(call) {
            let entries = self.order.entries.iter();
            self.places = entries.map(|&(_, (place, key, value))| (key, (place, value))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut seen = RecentMap::new(2);
        for key in [1, 2, 3] {
            seen.insert(7, key, ());
        }
        assert_eq!((seen.get(&1), seen.get(&2), seen.get(&3)), (None, Some(()), Some(())));
    }

    #[test]
    fn memory_stays_bounded() {
        let mut seen = RecentMap::new(4);
        for key in 0..3 * ROLLBACK_SPAN {
            seen.insert(1, key, ());
        }
        assert_eq!(seen.places.len(), 4 + ROLLBACK_SPAN);
        assert_eq!(seen.order.entries.len(), 4 + ROLLBACK_SPAN);
    }

    #[test]
    fn settled_entries_are_never_withdrawn() {
        let mut recent = Recent::new(2);
        recent.push(SETTLED, 'a');
        assert!(!recent.withdraw(SETTLED));
        assert_eq!(recent.live().collect::<String>(), "a");
    }

    proptest! {
        /// Withdrawing the last call leaves what was there before it, evicted entries included, also for what comes after.
        #[test]
        fn a_withdrawn_call_never_was(
            before in prop::collection::vec(0u8..20, 0..30),
            failed in prop::collection::vec(0u8..20, 0..30),
            after in prop::collection::vec(0u8..20, 0..30),
            capacity in 1usize..8,
        ) {
            let (mut with, mut without) = (RecentMap::new(capacity), RecentMap::new(capacity));
            let hear = |seen: &mut RecentMap<u8, ()>, call, keys: &[u8]| {
                for key in keys {
                    if seen.get(key).is_none() {
                        seen.insert(call, *key, ());
                    }
                }
            };
            hear(&mut with, 1, &before);
            hear(&mut without, 1, &before);
            hear(&mut with, 2, &failed);
            with.withdraw(2);
            for step in 0..=after.len() {
                for key in 0..20 {
                    prop_assert_eq!(with.get(&key), without.get(&key), "key {} after {}", key, step);
                }
                hear(&mut with, 3, after.get(step..=step).unwrap_or_default());
                hear(&mut without, 3, after.get(step..=step).unwrap_or_default());
            }
        }
    }
}
