//! The sketches of held blocks, turned round: for each bit of a sketch, which blocks have it. So what a newcomer has in
//! common with thousands is counted sixty-four blocks at a time, and only those that may be chosen are looked at.
//!
//! The choice is that of ranking all of them: by the common bits times how much a block counts, the newer first of equals. Where one
//! author has more than half of it, half is chosen among that author's blocks and half among those of all others.

mod counts;
#[cfg(test)]
mod tests;

use counts::Counts;

use crate::id::NodeId;
use crate::limits::{CANDIDATES, CANDIDATES_NEWEST, CANDIDATES_OF_ONE};
use crate::svaf::SKETCH;

/// Bits of a sketch.
const BITS: usize = 64 * SKETCH;
/// Numbers counted at once: two of the widest vectors.
const LANES: usize = 8;

/// The sketch of a block; nothing of one that says nothing.
pub(super) type Sketch<'a> = Option<&'a [u64; SKETCH]>;
type Lanes = [u64; LANES];

/// The sketches of the newest blocks, in a ring.
#[derive(Debug)]
pub(super) struct Sketches {
    /// One bit for each block: for each bit of a sketch in turn, and behind them whether it says anything.
    rows: Vec<Lanes>,
    /// Whose the block in each place is.
    authors: Vec<NodeId>,
    /// How many lanes a row has.
    stride: usize,
    capacity: usize,
    /// Where the next block goes.
    next: usize,
    saying: usize,
}

impl Sketches {
    /// Room for that many blocks.
    pub(super) fn new(capacity: usize) -> Self {
        let stride = capacity.div_ceil(64 * LANES);
        let authors = vec![NodeId::from_bytes([0; 16]); capacity];
        Self { rows: vec![[0; LANES]; (BITS + 1) * stride], authors, stride, capacity, next: 0, saying: 0 }
    }

    /// Take a block of an author in, as the newest. In a full ring it takes the place of the oldest, whose sketch is given.
    pub(super) fn push(&mut self, author: NodeId, newest: Sketch<'_>, oldest: Sketch<'_>) {
        self.put(oldest, false);
        self.put(newest, true);
        self.authors[self.next] = author;
        self.next = (self.next + 1) % self.capacity;
    }

    /// How many of the blocks say something.
    pub(super) const fn saying(&self) -> usize {
        self.saying
    }

    fn put(&mut self, sketch: Sketch<'_>, there: bool) {
        let Some(sketch) = sketch else { return };
        self.saying = if there { self.saying + 1 } else { self.saying - 1 };
        let (lanes, number, bit) = (self.next / (64 * LANES), self.next / 64 % LANES, 1 << (self.next % 64));
        for row in ones(sketch).chain([BITS]) {
            let held = &mut self.rows[row * self.stride + lanes][number];
            *held = if there { *held | bit } else { *held & !bit };
        }
    }

    fn row(&self, row: usize) -> &[Lanes] {
        &self.rows[row * self.stride..][..self.stride]
    }

    /// Choose blocks for a newcomer, by their age (0 is the newest), newest first. `strength` says how much a block of an
    /// age counts, from 0 to 1. There are more blocks that say something than are chosen.
    pub(super) fn choose(&self, incoming: &[u64; SKETCH], mut strength: impl FnMut(usize) -> f64) -> Vec<usize> {
        let counts = self.count(incoming);
        let every = self.row(BITS);
        let mut chosen = self.pick(&counts, every, CANDIDATES, &mut strength);
        let owners = chosen.iter().map(|age| self.authors[self.slot(*age)]);
        if let Some(author) = crowding(owners) {
            let theirs = self.by(author, every);
            let rest: Vec<Lanes> = every
                .iter()
                .zip(&theirs)
                .map(|(all, theirs)| std::array::from_fn(|lane| all[lane] & !theirs[lane]))
                .collect();
            let others = number(&rest).min(CANDIDATES - CANDIDATES_OF_ONE);
            if others > 0 {
                chosen = self.pick(&counts, &rest, others, &mut strength);
                chosen.extend(self.pick(&counts, &theirs, CANDIDATES - others, &mut strength));
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// Of marked blocks those of an author.
    fn by(&self, author: NodeId, marked: &[Lanes]) -> Vec<Lanes> {
        let mut theirs = marked.to_vec();
        for (number, owners) in theirs.as_flattened_mut().iter_mut().zip(self.authors.chunks(64)) {
            let owned = owners.iter().rev().fold(0, |bits, owner| bits << 1 | u64::from(*owner == author));
            *number &= owned;
        }
        theirs
    }

    /// Choose so many of the marked blocks, by their age: the newest, of each eight one, and the others by rank; all where
    /// there are no more.
    fn pick(&self, counts: &Counts, marked: &[Lanes], most: usize, strength: impl FnMut(usize) -> f64) -> Vec<usize> {
        if number(marked) <= most {
            return self.newest(marked, most);
        }
        let mut others = marked.to_vec();
        let mut chosen = self.newest(&others, most.div_ceil(CANDIDATES / CANDIDATES_NEWEST));
        let ranking = most - chosen.len();
        for age in &chosen {
            let slot = self.slot(*age);
            others[slot / (64 * LANES)][slot / 64 % LANES] &= !(1 << (slot % 64));
        }
        let level = counts.level(&others, ranking);
        // As many as are chosen have the level; what ranks below the last of them is not chosen.
        let sure = self.newest(&counts.at_least(&others, level), ranking);
        let mut ranks = Ranks { sketches: self, counts, strength, unpacked: (usize::MAX, [0; 64]) };
        let least = sure.iter().map(|age| ranks.of(*age)).fold(f64::INFINITY, f64::min);
        let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(4 * ranking);
        // What has nothing in common ranks by age alone, so that of those the newest are enough.
        let nothing = if level == 0 || least <= 0.0 { self.newest(&counts.none(&others), ranking) } else { Vec::new() };
        let some = self.newest(&counts.at_least(&others, below(least).max(1)), usize::MAX);
        ranked
            .extend(some.into_iter().chain(nothing).map(|age| (ranks.of(age), age)).filter(|(rank, _)| *rank >= least));
        if ranked.len() > ranking {
            let before =
                |left: &(f64, usize), right: &(f64, usize)| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1));
            ranked.select_nth_unstable_by(ranking - 1, before);
            ranked.truncate(ranking);
        }
        chosen.extend(ranked.into_iter().map(|(_, age)| age));
        chosen
    }

    const fn slot(&self, age: usize) -> usize {
        let back = age + 1;
        if self.next >= back { self.next - back } else { self.next + self.capacity - back }
    }

    /// The ages of marked blocks, newest first, at most so many.
    fn newest(&self, marked: &[Lanes], most: usize) -> Vec<usize> {
        let mut found = Vec::with_capacity(most.min(CANDIDATES));
        let numbers = marked.as_flattened();
        let words = self.capacity.div_ceil(64);
        let last = self.slot(0);
        // From the newest down to the first slot of the ring, then from its end down to the oldest.
        let upto = u64::MAX >> (63 - last % 64);
        let down = (0..=last / 64).rev().map(|at| (at, if at == last / 64 { upto } else { u64::MAX }));
        let rest = (last / 64..words).rev().map(|at| (at, if at == last / 64 { !upto } else { u64::MAX }));
        for (at, mask) in down.chain(rest) {
            let mut left = numbers[at] & mask;
            while left != 0 {
                if found.len() >= most {
                    return found;
                }
                let bit = 63 - left.leading_zeros() as usize;
                left &= !(1 << bit);
                let slot = 64 * at + bit;
                found.push(if slot <= last { last - slot } else { last + self.capacity - slot });
            }
        }
        found
    }

    fn count(&self, incoming: &[u64; SKETCH]) -> Counts {
        let rows: Vec<&[Lanes]> = ones(incoming).map(|bit| self.row(bit)).collect();
        Counts::of_rows(&rows, self.stride)
    }
}

/// The author of more than [`CANDIDATES_OF_ONE`] of the chosen blocks, if one is; no more than one of [`CANDIDATES`] can be.
pub(super) fn crowding(owners: impl Iterator<Item = NodeId>) -> Option<NodeId> {
    let owners: Vec<NodeId> = owners.collect();
    // Whoever has more than half is left when each is set off against another's.
    let (mut left, mut over) = (None, 0_usize);
    for owner in &owners {
        match over {
            0 => (left, over) = (Some(*owner), 1),
            _ if left == Some(*owner) => over += 1,
            _ => over -= 1,
        }
    }
    left.filter(|left| owners.iter().filter(|owner| *owner == left).count() > CANDIDATES_OF_ONE)
}

fn number(marked: &[Lanes]) -> usize {
    marked.as_flattened().iter().map(|number| number.count_ones() as usize).sum()
}

/// The largest whole number that is no more than a rank: less in common ranks below it, whatever a block counts.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 256 bits times 1")]
fn below(rank: f64) -> u32 {
    rank.clamp(0.0, 512.0).floor() as u32
}

fn ones(sketch: &[u64; SKETCH]) -> impl Iterator<Item = usize> {
    sketch.iter().enumerate().flat_map(|(at, number)| {
        let mut left = *number;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (bit < 64).then_some(64 * at + bit)
        })
    })
}

/// Blocks by rank: the bits in common times how much a block counts.
struct Ranks<'a, S> {
    sketches: &'a Sketches,
    counts: &'a Counts,
    strength: S,
    /// The counts of sixty-four slots, and which they are: who is asked for comes in order.
    unpacked: (usize, [u16; 64]),
}

impl<S: FnMut(usize) -> f64> Ranks<'_, S> {
    fn of(&mut self, age: usize) -> f64 {
        let slot = self.sketches.slot(age);
        if self.unpacked.0 != slot / 64 {
            self.unpacked = (slot / 64, self.counts.of(slot / 64));
        }
        f64::from(self.unpacked.1[slot % 64]) * (self.strength)(age)
    }
}
