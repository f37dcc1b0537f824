//! One replica of one shared state: what stands, who wrote it, what was seen.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::clock::VectorClock;
use crate::error::{Reason, Refusal};
use crate::hash::Digest;
use crate::hlc::Hlc;
use crate::id::NodeId;
use crate::limits::{MAX_CLOCK_ENTRIES, MAX_STATE_SCOPE_BYTES};
use crate::state::arena::Place;
use crate::state::flush::{Flush, Signed};
use crate::state::op::{self, Op, Slot};
use crate::state::table::{Entry, Table};
use crate::state::tree;

/// A value as its author wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Bytes, as they are.
    Bytes(&'a [u8]),
    /// A JSON text, valid under the strict rules when it was written and verified.
    Json(&'a [u8]),
}

/// An operation that no longer stands, whose digest may be needed to prove the rest of its flush.
#[derive(Clone, Copy)]
pub(super) struct Stale {
    pub flush: u32,
    pub offset: u32,
    pub at: Place,
    pub len: u32,
}

/// One replica. Not shared between threads; every result is a function of what it was given.
#[derive(Clone)]
pub struct Replica {
    pub(super) scope: String,
    pub(super) node: NodeId,
    pub(super) authors: Vec<NodeId>,
    pub(super) numbers: BTreeMap<NodeId, u16>,
    pub(super) flushes: Vec<Flush>,
    /// Flushes by author and first place.
    pub(super) places: BTreeMap<(NodeId, u64), u32>,
    pub(super) table: Table,
    pub(super) stale: Vec<Stale>,
    /// Slots of counters and sets, for reading them by name.
    pub(super) shares: BTreeSet<Vec<u8>>,
    pub(super) seen: VectorClock,
    /// Everything up to here was seen by every member; tombstones in it are gone.
    pub(super) floor: VectorClock,
    pub(super) clock: Hlc,
    /// Spans of an author's sequence that came before what lies between: (author, from) to.
    pub(super) spans: BTreeMap<(NodeId, u64), u64>,
    /// Digests of the ranges, until something stands that did not, or no longer does.
    pub(super) ranges: OnceCell<Vec<Digest>>,
    /// Last place and flush of this node's own sequence; survives a reset, for no place is ever used twice.
    pub(super) wrote: (u64, Digest),
}

impl Replica {
    /// An empty replica of the state named `scope`, kept by `node`; `seed` keys the index and changes no result.
    pub fn new(scope: &str, node: NodeId, seed: [u8; 16]) -> Result<Self, Refusal> {
        if scope.is_empty() || scope.len() > MAX_STATE_SCOPE_BYTES {
            let detail = format!("state: scope: expected 1 to {MAX_STATE_SCOPE_BYTES} bytes, got {}", scope.len());
            return Err(Refusal::new(Reason::InvalidArgument, detail));
        }
        let (mut low, mut high) = ([0; 8], [0; 8]);
        low.copy_from_slice(&seed[..8]);
        high.copy_from_slice(&seed[8..]);
        Ok(Self {
            scope: scope.to_owned(),
            node,
            authors: Vec::new(),
            numbers: BTreeMap::new(),
            flushes: Vec::new(),
            places: BTreeMap::new(),
            table: Table::new([u64::from_le_bytes(low), u64::from_le_bytes(high)]),
            stale: Vec::new(),
            shares: BTreeSet::new(),
            seen: VectorClock::new(),
            floor: VectorClock::new(),
            clock: Hlc::default(),
            spans: BTreeMap::new(),
            ranges: OnceCell::new(),
            wrote: (0, [0; 32]),
        })
    }

    /// Which state this is.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Whose replica this is.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// How much of every author's sequence was seen.
    pub const fn seen(&self) -> &VectorClock {
        &self.seen
    }

    /// How much was seen by every member, and no longer keeps its tombstones.
    pub const fn floor(&self) -> &VectorClock {
        &self.floor
    }

    /// Slots that hold something.
    pub fn live(&self) -> usize {
        self.table.entries().iter().filter(|entry| !op::is_tombstone(entry.kind)).count()
    }

    /// Slots that are remembered as deleted.
    pub fn tombstones(&self) -> usize {
        self.table.entries().len() - self.live()
    }

    /// Bytes of operations that are held, those that stand no more and wait to be dropped among them.
    pub const fn size_bytes(&self) -> usize {
        self.table.sizes().0
    }

    /// Read a register; `None` when it was never written or is deleted.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        let op = self.standing(name.as_bytes(), false)?;
        Some(if op.kind == op::JSON { Value::Json(op.value) } else { Value::Bytes(op.value) })
    }

    /// Names of the registers that hold something, sorted.
    pub fn names(&self) -> Vec<&str> {
        let live = self.table.entries().iter().filter(|entry| !op::is_tombstone(entry.kind));
        let mut names: Vec<&str> = live
            .filter_map(|entry| match Slot::read(entry.kind, self.table.slot(entry)) {
                Ok(Slot::Register(name)) => Some(name),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names
    }

    /// Read a counter: the sum of every author's share; 0 when nobody counted.
    pub fn counter(&self, name: &str) -> i128 {
        let shares = self.shares_of(op::prefix(b'c', name));
        let counted = shares.filter_map(|(_, op)| op::counted(op.value).ok());
        counted.map(|(added, taken)| i128::from(added) - i128::from(taken)).sum()
    }

    /// Read a set: its elements, sorted. An element is in it while any tag that added it stands.
    pub fn elements(&self, name: &str) -> Vec<Vec<u8>> {
        let mut elements: Vec<Vec<u8>> = Vec::new();
        for (slot, op) in self.shares_of(op::prefix(b's', name)) {
            if let (false, Ok(Slot::Tag(_, element, _))) = (op.is_tombstone(), Slot::read(op.kind, slot)) {
                elements.push(element.to_vec());
            }
        }
        elements.sort_unstable();
        elements.dedup();
        elements
    }

    pub(super) fn standing(&self, slot: &[u8], share: bool) -> Option<Op<'_>> {
        let op = self.table.op(&self.table.entries()[self.table.find(slot, share)?]);
        (!op.is_tombstone()).then_some(op)
    }

    /// The slots that begin with `prefix`, with what stands in them.
    pub(super) fn shares_of(&self, prefix: Vec<u8>) -> impl Iterator<Item = (&[u8], Op<'_>)> {
        let slots = self.shares.range(prefix.clone()..).take_while(move |slot| slot.starts_with(&prefix));
        slots.filter_map(|slot| self.standing(slot, true).map(|op| (slot.as_slice(), op)))
    }

    pub(super) fn number(&mut self, author: NodeId) -> Result<u16, Refusal> {
        if let Some(number) = self.numbers.get(&author) {
            return Ok(*number);
        }
        let full = || Refusal::new(Reason::TooLarge, format!("state: expected at most {MAX_CLOCK_ENTRIES} authors"));
        if self.authors.len() >= MAX_CLOCK_ENTRIES {
            return Err(full());
        }
        let number = u16::try_from(self.authors.len()).map_err(|_| full())?;
        self.authors.push(author);
        self.numbers.insert(author, number);
        Ok(number)
    }

    /// Hold a flush, or find that it is held.
    pub(super) fn enlist(&mut self, signed: &Signed) -> Result<u32, Refusal> {
        let place = (signed.header.author, signed.header.first);
        if let Some(flush) = self.places.get(&place) {
            return Ok(*flush);
        }
        let flush = u32::try_from(self.flushes.len())
            .map_err(|_| Refusal::new(Reason::TooLarge, "state: more flushes than can be numbered"))?;
        self.clock = self.clock.max(signed.header.hlc);
        if signed.header.author == self.node && signed.header.last() > self.wrote.0 {
            self.wrote = (signed.header.last(), signed.id);
        }
        self.flushes.push(Flush { signed: signed.clone(), known: tree::Known::new(), live: 0 });
        self.places.insert(place, flush);
        Ok(flush)
    }

    /// The last flush that is held of an author.
    pub(super) fn last_of(&self, author: NodeId) -> Option<&Flush> {
        let place = self.places.range((author, 0)..=(author, u64::MAX)).next_back()?;
        Some(&self.flushes[*place.1 as usize])
    }

    pub(super) fn stale(&mut self, entry: &Entry) {
        let first = self.flushes[entry.flush as usize].signed.header.first;
        // A flush has fewer operations than 2^32.
        let offset = u32::try_from(entry.seq - first).unwrap_or(u32::MAX);
        self.stale.push(Stale { flush: entry.flush, offset, at: entry.at, len: entry.len });
    }
}
