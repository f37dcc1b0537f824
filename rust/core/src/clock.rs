//! Vector clocks: how much one node has seen of every other, and which of two states came first, if either did.
//!
//! Rules: a value, not a thing that changes. Merging is a semilattice (commutative, associative, idempotent), also where
//! it refuses: the size of a union only grows, so a merge is over the bound in every order or in none.

use std::cmp::Ordering;

use crate::error::{Reason, Refusal};
use crate::id::NodeId;
use crate::limits::{MAX_CLOCK_ENTRIES, MAX_SAFE_INTEGER};

/// How two clocks lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The same events.
    Equal,
    /// The left has seen less, and nothing the right has not.
    Before,
    /// The left has seen all the right has, and more.
    After,
    /// Each has seen something the other has not.
    Concurrent,
}

impl Relation {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Before => "before",
            Self::After => "after",
            Self::Concurrent => "concurrent",
        }
    }

    const fn reversed(self) -> Self {
        match self {
            Self::Before => Self::After,
            Self::After => Self::Before,
            same => same,
        }
    }
}

/// A count of events for each node that had any, sorted by node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VectorClock {
    /// Sorted, one entry a node, counts from 1: equal clocks have equal entries.
    entries: Vec<(NodeId, u64)>,
}

impl VectorClock {
    /// The clock that has seen nothing.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// A clock of given counts, in any order. A count of 0 says nothing and is left out; of two counts for one node the
    /// larger holds, as in a merge.
    pub fn from_entries(entries: impl IntoIterator<Item = (NodeId, u64)>) -> Result<Self, Refusal> {
        let mut sorted: Vec<(NodeId, u64)> = Vec::new();
        for (node, count) in entries {
            if count > MAX_SAFE_INTEGER {
                return Err(overflow(node));
            }
            if count > 0 {
                match sorted.binary_search_by_key(&node, |entry| entry.0) {
                    Ok(at) => sorted[at].1 = sorted[at].1.max(count),
                    Err(_) if sorted.len() == MAX_CLOCK_ENTRIES => return Err(full(sorted.len() + 1)),
                    Err(at) => sorted.insert(at, (node, count)),
                }
            }
        }
        Ok(Self { entries: sorted })
    }

    /// The entries, sorted by node.
    pub fn entries(&self) -> &[(NodeId, u64)] {
        &self.entries
    }

    /// How many events of `node` this clock has seen.
    pub fn count(&self, node: NodeId) -> u64 {
        match self.entries.binary_search_by_key(&node, |entry| entry.0) {
            Ok(at) => self.entries[at].1,
            Err(_) => 0,
        }
    }

    /// This clock after one more event of `node`.
    pub fn ticked(&self, node: NodeId) -> Result<Self, Refusal> {
        let mut entries = self.entries.clone();
        match entries.binary_search_by_key(&node, |entry| entry.0) {
            Ok(at) if entries[at].1 >= MAX_SAFE_INTEGER => return Err(overflow(node)),
            Ok(at) => entries[at].1 += 1,
            Err(_) if entries.len() >= MAX_CLOCK_ENTRIES => return Err(full(entries.len() + 1)),
            Err(at) => entries.insert(at, (node, 1)),
        }
        Ok(Self { entries })
    }

    /// What both clocks have seen together.
    pub fn merged(&self, other: &Self) -> Result<Self, Refusal> {
        let mut entries = Vec::with_capacity(self.entries.len().max(other.entries.len()));
        pairs(self, other, |node, left, right| entries.push((node, left.max(right))));
        if entries.len() > MAX_CLOCK_ENTRIES {
            return Err(full(entries.len()));
        }
        Ok(Self { entries })
    }

    /// How this clock lies to `other`.
    pub fn compare(&self, other: &Self) -> Relation {
        let mut relation = Relation::Equal;
        pairs(self, other, |_, left, right| {
            let here = match left.cmp(&right) {
                Ordering::Equal => Relation::Equal,
                Ordering::Less => Relation::Before,
                Ordering::Greater => Relation::After,
            };
            if relation == Relation::Equal {
                relation = here;
            } else if here == relation.reversed() && here != Relation::Equal {
                relation = Relation::Concurrent;
            }
        });
        relation
    }

    /// Whether this clock has seen all that `other` has.
    pub fn dominates(&self, other: &Self) -> bool {
        matches!(self.compare(other), Relation::Equal | Relation::After)
    }

    /// Whether each clock has seen something the other has not.
    pub fn concurrent(&self, other: &Self) -> bool {
        self.compare(other) == Relation::Concurrent
    }
}

/// Walk the union of two clocks in the order of nodes; a node one of them lacks counts 0 there.
fn pairs(left: &VectorClock, right: &VectorClock, mut visit: impl FnMut(NodeId, u64, u64)) {
    let (mut left, mut right) = (left.entries.as_slice(), right.entries.as_slice());
    loop {
        match (left.split_first(), right.split_first()) {
            (None, None) => return,
            (Some((&(node, count), rest)), None) => {
                visit(node, count, 0);
                left = rest;
            }
            (None, Some((&(node, count), rest))) => {
                visit(node, 0, count);
                right = rest;
            }
            (Some((&mine, left_rest)), Some((&theirs, right_rest))) => {
                let order = mine.0.cmp(&theirs.0);
                if order != Ordering::Greater {
                    left = left_rest;
                }
                if order != Ordering::Less {
                    right = right_rest;
                }
                match order {
                    Ordering::Less => visit(mine.0, mine.1, 0),
                    Ordering::Equal => visit(mine.0, mine.1, theirs.1),
                    Ordering::Greater => visit(theirs.0, 0, theirs.1),
                }
            }
        }
    }
}

fn full(size: usize) -> Refusal {
    Refusal::new(Reason::TooLarge, format!("vector clock: expected at most {MAX_CLOCK_ENTRIES} nodes, got {size}"))
}

fn overflow(node: NodeId) -> Refusal {
    Refusal::new(Reason::TooLarge, format!("vector clock: count of {node} is over {MAX_SAFE_INTEGER}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(number: u16) -> NodeId {
        let mut bytes = [0; 16];
        bytes[14..].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    fn clock(entries: &[(u16, u64)]) -> VectorClock {
        VectorClock::from_entries(entries.iter().map(|&(number, count)| (node(number), count))).unwrap()
    }

    fn any_clock() -> impl Strategy<Value = VectorClock> {
        prop::collection::vec((0u16..12, 0u64..5), 0..12).prop_map(|entries| clock(&entries))
    }

    /// A clock near the bound, so that a union of two may cross it.
    fn wide_clock() -> impl Strategy<Value = VectorClock> {
        let bound = u16::try_from(MAX_CLOCK_ENTRIES).unwrap();
        (0u16..bound, 1u16..bound)
            .prop_map(|(from, many)| clock(&(from..from + many).map(|number| (number, 1)).collect::<Vec<_>>()))
    }

    #[test]
    fn relations_are_what_they_say() {
        let (start, one, two) = (clock(&[]), clock(&[(1, 1)]), clock(&[(2, 1)]));
        assert_eq!(start.compare(&one), Relation::Before);
        assert_eq!(one.compare(&start), Relation::After);
        assert_eq!(one.compare(&two), Relation::Concurrent);
        assert_eq!(clock(&[(1, 2), (2, 1)]).compare(&clock(&[(1, 1), (2, 2)])), Relation::Concurrent);
        assert!(one.ticked(node(2)).unwrap().dominates(&one.merged(&two).unwrap()));
        assert!(one.dominates(&one) && !one.concurrent(&one));
    }

    #[test]
    fn a_count_of_zero_and_a_repeated_node_have_one_meaning() {
        assert_eq!(clock(&[(1, 0)]), VectorClock::new());
        assert_eq!(clock(&[(1, 2), (1, 1)]), clock(&[(1, 2)]));
        assert_eq!(clock(&[(1, 2)]).count(node(1)), 2);
        assert_eq!(clock(&[(1, 2)]).count(node(2)), 0);
    }

    #[test]
    fn a_clock_is_bounded() {
        let bound = u16::try_from(MAX_CLOCK_ENTRIES).unwrap();
        let full = clock(&(0..bound).map(|number| (number, 1)).collect::<Vec<_>>());
        assert_eq!(full.ticked(node(bound)).unwrap_err().reason, Reason::TooLarge);
        assert_eq!(full.merged(&clock(&[(bound, 1)])).unwrap_err().reason, Reason::TooLarge);
        assert!(full.ticked(node(0)).is_ok() && full.merged(&full).is_ok());
        let late = clock(&[(1, MAX_SAFE_INTEGER)]);
        assert_eq!(late.ticked(node(1)).unwrap_err().reason, Reason::TooLarge);
        assert!(VectorClock::from_entries([(node(1), MAX_SAFE_INTEGER + 1)]).is_err());
        let many = (0..=bound).map(|number| (node(number), 1));
        assert_eq!(VectorClock::from_entries(many).unwrap_err().reason, Reason::TooLarge);
    }

    proptest! {
        #[test]
        fn merging_is_commutative(a in any_clock(), b in any_clock()) {
            prop_assert_eq!(a.merged(&b), b.merged(&a));
        }

        #[test]
        fn merging_is_associative(a in any_clock(), b in any_clock(), c in any_clock()) {
            let left = a.merged(&b).and_then(|ab| ab.merged(&c));
            let right = b.merged(&c).and_then(|bc| a.merged(&bc));
            prop_assert_eq!(left, right);
        }

        #[test]
        fn merging_is_idempotent(a in any_clock(), b in any_clock()) {
            let both = a.merged(&b).unwrap();
            prop_assert_eq!(&both.merged(&b).unwrap(), &both);
            prop_assert_eq!(&a.merged(&a).unwrap(), &a);
            prop_assert!(both.dominates(&a) && both.dominates(&b));
        }

        #[test]
        fn the_bound_does_not_depend_on_order(a in wide_clock(), b in wide_clock(), c in wide_clock()) {
            let left = a.merged(&b).and_then(|ab| ab.merged(&c)).ok();
            let right = b.merged(&c).and_then(|bc| a.merged(&bc)).ok();
            prop_assert_eq!(left, right);
        }

        #[test]
        fn comparing_agrees_with_the_definition(a in any_clock(), b in any_clock()) {
            let covers = |left: &VectorClock, right: &VectorClock| {
                right.entries().iter().all(|&(node, count)| left.count(node) >= count)
            };
            let expected = match (covers(&a, &b), covers(&b, &a)) {
                (true, true) => Relation::Equal,
                (true, false) => Relation::After,
                (false, true) => Relation::Before,
                (false, false) => Relation::Concurrent,
            };
            prop_assert_eq!(a.compare(&b), expected);
            prop_assert_eq!(b.compare(&a), expected.reversed());
            prop_assert_eq!(expected == Relation::Equal, a == b);
        }

        #[test]
        fn a_tick_is_strictly_later(a in any_clock(), number in 0u16..12) {
            let later = a.ticked(node(number)).unwrap();
            prop_assert_eq!(a.compare(&later), Relation::Before);
            prop_assert_eq!(later.count(node(number)), a.count(node(number)) + 1);
        }
    }
}
