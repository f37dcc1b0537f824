//! Bounded memory, first in first out, from which the effects of a failed call can be withdrawn exactly.
//!
//! The last `capacity` entries are live. Behind them stand dormant ones that nothing reads: when a withdrawal takes entries
//! out, those become live again, as if what pushed them out had never come. Once enough entries are too old to be
//! withdrawn, the dormant ones behind them go.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::limits::ROLLBACK_GRACE_MS;

/// Which call an entry came from, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// Counts from 1; [`SETTLED`] is never withdrawn.
    pub number: u64,
    pub now_ms: u64,
}

/// The number of entries that are never withdrawn: restored ones and one's own.
pub(super) const SETTLED: u64 = 0;

/// Items in order of arrival.
#[derive(Debug)]
pub(super) struct Recent<T> {
    entries: VecDeque<(Call, T)>,
    capacity: usize,
    span: usize,
}

impl<T> Recent<T> {
    /// `span` bounds what can be withdrawn at once.
    pub(super) fn new(capacity: usize, span: usize) -> Self {
        Self { entries: VecDeque::new(), capacity, span }
    }

    /// Add an item; `forget` gets what nothing can bring back any more.
    pub(super) fn push(&mut self, call: Call, item: T, mut forget: impl FnMut(T)) {
        self.entries.push_back((call, item));
        while self.overfull(call.now_ms) {
            self.entries.pop_front().into_iter().for_each(|(_, item)| forget(item));
        }
        let (length, reserved) = (self.entries.len(), self.entries.capacity());
        if reserved > self.capacity && reserved / 4 > length {
            self.entries.shrink_to(2 * length);
        }
    }

    /// Whether the oldest entry can go: there is no room for it, or a live set without it can no longer be withdrawn.
    fn overfull(&self, now_ms: u64) -> bool {
        let settled = |call: Call| call.now_ms.saturating_add(ROLLBACK_GRACE_MS) < now_ms;
        self.entries.len() > self.capacity + self.span
            || self.entries.get(self.capacity).is_some_and(|(call, _)| settled(*call))
    }

    /// Put an item back that is never withdrawn, behind the last that is not `later` than it; false where that is no live
    /// place, and it was not put there.
    pub(super) fn put_back(&mut self, item: T, later: impl Fn(&T, &T) -> bool) -> bool {
        let place = self.entries.iter().rposition(|(_, there)| !later(there, &item)).map_or(0, |before| before + 1);
        if self.entries.len() - place >= self.capacity {
            return false;
        }
        let call = self.entries.get(place).map_or(0, |(call, _)| call.now_ms);
        self.entries.insert(place, (Call { number: SETTLED, now_ms: call }, item));
        if self.entries.len() > self.capacity + self.span {
            self.entries.pop_front();
        }
        true
    }

    /// Every item, dormant ones included.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, item)| item)
    }

    /// The live items, newest first.
    pub(super) fn live(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().rev().take(self.capacity).map(|(_, item)| item)
    }

    /// The live item of an age; 0 is the newest.
    pub(super) fn of_age(&self, age: usize) -> Option<&T> {
        let at = self.entries.len().checked_sub(age + 1).filter(|_| age < self.capacity)?;
        self.entries.get(at).map(|(_, item)| item)
    }

    /// How many items are live at most.
    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many live items there are.
    pub(super) fn held(&self) -> usize {
        self.entries.len().min(self.capacity)
    }

    /// The newest item, dormant ones included, of which something holds, and its age.
    pub(super) fn find(&mut self, holds: impl Fn(&T) -> bool) -> Option<(usize, &mut T)> {
        self.entries.iter_mut().rev().map(|(_, item)| item).enumerate().find(|(_, item)| holds(item))
    }

    /// Change every item, dormant ones included.
    pub(super) fn each(&mut self, change: impl Fn(&mut T)) {
        self.entries.iter_mut().for_each(|(_, item)| change(item));
    }

    /// The oldest live item.
    fn oldest_live(&self) -> Option<&T> {
        let dormant = self.entries.len().saturating_sub(self.capacity);
        self.entries.get(dormant).map(|(_, item)| item)
    }

    /// Take out everything a call put in; returns whether there was anything.
    pub(super) fn withdraw(&mut self, number: u64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(from, _)| from.number == SETTLED || from.number != number);
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
    pub(super) fn new(capacity: usize, span: usize) -> Self {
        Self { order: Recent::new(capacity, span), places: HashMap::new(), next: 0 }
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
        let places = &mut self.places;
        self.order.push(call, (place, key, value), |(fallen, key, _)| {
            if places.get(&key).is_some_and(|(place, _)| *place == fallen) {
                places.remove(&key);
            }
        });
    }

    /// Forget everything a call put in.
    pub(super) fn withdraw(&mut self, number: u64) {
        if self.order.withdraw(number) {
            let entries = self.order.entries.iter();
            self.places = entries.map(|&(_, (place, key, value))| (key, (place, value))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAN: usize = 64;

    fn call(number: u64) -> Call {
        Call { number, now_ms: 1_000 }
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut seen = RecentMap::new(2, SPAN);
        for key in [1, 2, 3] {
            seen.insert(call(7), key, ());
        }
        assert_eq!((seen.get(&1), seen.get(&2), seen.get(&3)), (None, Some(()), Some(())));
    }

    #[test]
    fn memory_stays_bounded() {
        let mut seen = RecentMap::new(4, SPAN);
        for key in 0..3 * SPAN {
            seen.insert(call(1), key, ());
        }
        assert_eq!(seen.places.len(), 4 + SPAN);
        assert_eq!(seen.order.entries.len(), 4 + SPAN);
    }

    #[test]
    fn what_can_no_longer_be_withdrawn_needs_nothing_behind_it() {
        let mut seen = RecentMap::new(4, SPAN);
        for key in 0..20 {
            seen.insert(call(1), key, ());
        }
        seen.insert(Call { number: 2, now_ms: 1_001 + ROLLBACK_GRACE_MS }, 20, ());
        assert_eq!(seen.places.len(), 5);
        seen.withdraw(2);
        assert_eq!((15..21).filter(|key| seen.get(key).is_some()).collect::<Vec<_>>(), [16, 17, 18, 19]);
    }

    #[test]
    fn settled_entries_are_never_withdrawn() {
        let mut recent = Recent::new(2, SPAN);
        recent.push(call(SETTLED), 'a', |_| ());
        assert!(!recent.withdraw(SETTLED));
        assert_eq!(recent.live().collect::<String>(), "a");
    }

    #[test]
    fn the_newest_entry_of_a_key_counts() {
        let mut seen = RecentMap::new(3, SPAN);
        seen.insert(call(1), 'a', false);
        seen.insert(call(2), 'a', true);
        assert_eq!(seen.get(&'a'), Some(true));
        seen.withdraw(2);
        assert_eq!(seen.get(&'a'), Some(false));
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
            let (mut with, mut without) = (RecentMap::new(capacity, SPAN), RecentMap::new(capacity, SPAN));
            let hear = |seen: &mut RecentMap<u8, ()>, number, keys: &[u8]| {
                for key in keys {
                    if seen.get(key).is_none() {
                        seen.insert(call(number), *key, ());
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
