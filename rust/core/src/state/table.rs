//! The packed map: one arena of operations as they travelled, fixed entries, an open index. Nothing is owned twice.

use bytes::Bytes;

use crate::state::arena::{Arena, Place};
use crate::state::op::{self, Op, Packed};
use crate::state::wire::Reader;

/// What stands in one slot, and when it was written.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Bits of the hybrid clock of its flush.
    pub hlc: u64,
    /// Place in its author's sequence.
    pub seq: u64,
    /// First byte of the operation in the arena.
    pub at: Place,
    /// Bytes of the operation.
    pub len: u32,
    /// Number of its flush.
    pub flush: u32,
    /// Number of its author.
    pub author: u16,
    /// Bytes of the slot.
    pub slot_len: u16,
    /// Where the slot begins in the operation.
    pub slot_at: u8,
    /// What the operation does.
    pub kind: u8,
}

/// Slots and what stands in them, in order of arrival; looked up by a keyed hash that no result depends on.
#[derive(Clone)]
pub struct Table {
    arena: Arena,
    entries: Vec<Entry>,
    /// Hash above, number of the entry plus one below; 0 is free. A power of two, at most half full.
    index: Vec<u64>,
    seed: [u64; 2],
    /// Bytes of the arena that stand.
    standing: usize,
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[allow(clippy::cast_possible_truncation)] // both halves of a product are folded into one word on purpose
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

/// Hash a slot under a key that peers do not know, so that they cannot choose slots that meet.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the upper half of the word is the hash
pub fn hash(seed: [u64; 2], slot: &[u8]) -> u32 {
    let mut state = seed[0] ^ slot.len() as u64;
    let key = seed[1] | 1;
    let mut words = slot.chunks_exact(8);
    for word in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        state = fold(state ^ u64::from_le_bytes(bytes), key ^ MULTIPLIER);
    }
    let mut last = 0;
    for byte in words.remainder() {
        last = last << 8 | u64::from(*byte);
    }
    (fold(state ^ last, key.rotate_left(32) ^ MULTIPLIER) >> 32) as u32
}

/// Whether two slots are the same bytes; they are short, and a call would cost more than the comparison.
#[inline]
fn same(left: &[u8], right: &[u8]) -> bool {
    let (lefts, rights) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest = lefts.remainder().iter().zip(rights.remainder());
    left.len() == right.len() && lefts.zip(rights).all(|(a, b)| a == b) && rest.into_iter().all(|(a, b)| a == b)
}

impl Table {
    /// An empty table whose index is keyed with `seed`.
    pub fn new(seed: [u64; 2]) -> Self {
        Self { arena: Arena::default(), entries: Vec::new(), index: vec![0; 16], seed, standing: 0 }
    }

    /// Key of the index.
    pub const fn seed(&self) -> [u64; 2] {
        self.seed
    }

    /// Everything that stands, in order of arrival.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The bytes of an operation.
    pub fn bytes(&self, at: Place, len: u32) -> &[u8] {
        self.arena.get(at, len as usize)
    }

    /// The slot of an entry.
    #[inline]
    pub fn slot(&self, entry: &Entry) -> &[u8] {
        self.arena.get(entry.at + u64::from(entry.slot_at), usize::from(entry.slot_len))
    }

    /// The operation of an entry.
    pub fn op(&self, entry: &Entry) -> Op<'_> {
        // Only operations that were read once are kept; an empty one stands for what cannot be.
        Op::read(&mut Reader::new(self.bytes(entry.at, entry.len))).unwrap_or(Op { kind: 0, slot: &[], value: &[] })
    }

    /// Number of the entry of a slot.
    pub fn find(&self, slot: &[u8], share: bool) -> Option<usize> {
        self.probe(hash(self.seed, slot), slot, share).ok()
    }

    /// The number of the entry, or the free place of the index where it belongs.
    #[inline]
    pub fn probe(&self, hash: u32, slot: &[u8], share: bool) -> Result<usize, usize> {
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let cell = self.index[place];
            if cell == 0 {
                return Err(place);
            }
            if (cell >> 32) as u32 == hash {
                let number = (cell & 0xffff_ffff) as usize - 1;
                let entry = &self.entries[number];
                if same(self.slot(entry), slot) && op::is_share(entry.kind) == share {
                    return Ok(number);
                }
            }
            place = (place + 1) & mask;
        }
    }

    /// Touch the cells of the index where these hashes begin, so that the processor fetches them all at once: in a large
    /// replica each lies in another line of memory, and waiting for them one by one is most of a merge.
    #[inline]
    pub fn warm(&self, hashes: impl Iterator<Item = u32>) {
        let mask = self.index.len() - 1;
        let touched = hashes.fold(0, |touched, hash| touched ^ self.index[hash as usize & mask]);
        std::hint::black_box(touched);
    }

    fn grow(&mut self) {
        self.index = vec![0; self.index.len() * 4];
        self.reindex();
    }

    fn reindex(&mut self) {
        let mask = self.index.len() - 1;
        for (number, entry) in self.entries.iter().enumerate() {
            let slot = self.arena.get(entry.at + u64::from(entry.slot_at), usize::from(entry.slot_len));
            let hash = hash(self.seed, slot);
            let mut place = hash as usize & mask;
            while self.index[place] != 0 {
                place = (place + 1) & mask;
            }
            self.index[place] = u64::from(hash) << 32 | (number as u64 + 1);
        }
    }

    /// Append bytes that entries will lie in; returns where they begin.
    pub fn append(&mut self, bytes: &[u8]) -> Place {
        self.arena.copy(bytes)
    }

    /// Keep bytes that entries will lie in; returns where they begin.
    pub fn keep(&mut self, bytes: &Bytes) -> Place {
        self.arena.keep(bytes)
    }

    /// Take back the bytes appended last, when no entry came to lie in them.
    pub fn retract(&mut self, at: Place) {
        self.arena.retract(at);
    }

    /// Put an entry at the free place that [`Table::probe`] just named.
    #[inline]
    pub fn insert(&mut self, place: usize, hash: u32, entry: Entry) {
        self.standing += entry.len as usize;
        self.entries.push(entry);
        self.index[place] = u64::from(hash) << 32 | self.entries.len() as u64;
        if self.entries.len() * 2 > self.index.len() {
            self.grow();
        }
    }

    /// Let an entry stand in place of another for the same slot.
    #[inline]
    pub fn replace(&mut self, number: usize, entry: Entry) {
        let old = std::mem::replace(&mut self.entries[number], entry);
        self.standing = self.standing - old.len as usize + entry.len as usize;
    }

    /// Bytes held, and those that stand.
    pub const fn sizes(&self) -> (usize, usize) {
        (self.arena.len(), self.standing)
    }

    /// Give every entry the new number of its flush.
    pub fn rename(&mut self, new: impl Fn(u32) -> u32) {
        for entry in &mut self.entries {
            entry.flush = new(entry.flush);
        }
    }

    /// Keep the entries that `keep` wants, in their order, and nothing of the arena that does not stand.
    pub fn compact(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        let mut arena = Arena::with_capacity(self.standing);
        let old = std::mem::take(&mut self.arena);
        self.entries.retain_mut(|entry| {
            let kept = keep(entry);
            if kept {
                entry.at = arena.copy(old.get(entry.at, entry.len as usize));
            }
            kept
        });
        self.standing = arena.len();
        self.arena = arena;
        self.index.fill(0);
        self.reindex();
    }
}

impl Entry {
    /// The entry of an operation whose bytes were read from what now begins at `base`.
    #[inline]
    pub fn of(op: &Packed, base: Place, hlc: u64, first: u64, flush: u32, author: u16) -> Self {
        Self {
            hlc,
            seq: first + u64::from(op.offset),
            at: base + u64::from(op.at),
            len: op.len,
            flush,
            author,
            slot_len: op.slot_len,
            slot_at: op.slot_at,
            kind: op.kind,
        }
    }
}
