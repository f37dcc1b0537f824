//! The sketches of held blocks, turned round: for each bit of a sketch, which blocks have it. So what a newcomer has in
//! common with thousands is counted sixty-four blocks at a time, and only those that may be chosen are looked at.
//!
//! The choice is that of ranking all of them: by the common bits times how much a block counts, the newer first of equals. Where one
//! author has more than half of it, half is chosen among that author's blocks and half among those of all others.

use covey_kernels::{Work, widest};

use crate::id::NodeId;
use crate::limits::{CANDIDATES, CANDIDATES_NEWEST, CANDIDATES_OF_ONE};
use crate::svaf::SKETCH;

/// Bits of a sketch.
const BITS: usize = 64 * SKETCH;
/// Numbers counted at once: two of the widest vectors.
const LANES: usize = 8;
/// Binary digits of a count: a block has at most 256 words.
const DIGITS: usize = 9;

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
        let depth = (usize::BITS - rows.len().leading_zeros()) as usize;
        widest(Counting { rows: &rows, stride: self.stride, depth: depth.min(DIGITS) })
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

/// How many bits each block has in common with a newcomer: the binary digits of all counts, lowest first.
struct Counts {
    digits: Vec<[Lanes; DIGITS]>,
    /// Digits that the largest count has.
    depth: usize,
}

impl Counts {
    /// The counts of sixty-four slots.
    fn of(&self, number: usize) -> [u16; 64] {
        let digits = &self.digits[number / LANES];
        let of = digits.map(|digit| digit[number % LANES]);
        widest(Unpacking { digits: &of[..self.depth] })
    }

    /// The largest count that at least `most` of the marked blocks reach; 0 where there are fewer.
    fn level(&self, marked: &[Lanes], most: usize) -> u32 {
        widest(Levelling { counts: self, marked, most })
    }

    /// The marked blocks that reach a count.
    fn at_least(&self, marked: &[Lanes], count: u32) -> Vec<Lanes> {
        if count >> self.depth != 0 {
            return vec![[0; LANES]; marked.len()];
        }
        widest(Reaching { counts: self, marked, count })
    }

    /// The marked blocks that have nothing in common with the newcomer.
    fn none(&self, marked: &[Lanes]) -> Vec<Lanes> {
        let some = self.at_least(marked, 1);
        marked.iter().zip(some).map(|(marked, some)| std::array::from_fn(|at| marked[at] & !some[at])).collect()
    }
}

/// Turn the binary digits of sixty-four counts into numbers.
struct Unpacking<'a> {
    digits: &'a [u64],
}

impl Work for Unpacking<'_> {
    type Out = [u16; 64];

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> [u16; 64] {
        let mut counts = [0; 64];
        for (place, digit) in self.digits.iter().enumerate() {
            for (part, counts) in counts.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let bits = digit >> (16 * part) & 0xffff;
                for (at, count) in counts.iter_mut().enumerate() {
                    *count |= u16::from(bits & 1 << at != 0) << place;
                }
            }
        }
        counts
    }
}

/// Find the largest count that so many reach.
struct Levelling<'a> {
    counts: &'a Counts,
    marked: &'a [Lanes],
    most: usize,
}

impl Work for Levelling<'_> {
    type Out = u32;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> u32 {
        let (mut level, mut above, mut equal) = (0, 0, self.marked.to_vec());
        for place in (0..self.counts.depth).rev() {
            let mut reached: usize = above;
            for (equal, digits) in equal.iter().zip(&self.counts.digits) {
                for lane in 0..LANES {
                    reached += (equal[lane] & digits[place][lane]).count_ones() as usize;
                }
            }
            let keep = if reached >= self.most { 0 } else { u64::MAX };
            for (equal, digits) in equal.iter_mut().zip(&self.counts.digits) {
                for lane in 0..LANES {
                    equal[lane] &= digits[place][lane] ^ keep;
                }
            }
            if keep == 0 {
                level |= 1 << place;
            } else {
                above = reached;
            }
        }
        level
    }
}

/// Find who reaches a count.
struct Reaching<'a> {
    counts: &'a Counts,
    marked: &'a [Lanes],
    count: u32,
}

impl Work for Reaching<'_> {
    type Out = Vec<Lanes>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> Vec<Lanes> {
        let mut found = self.marked.to_vec();
        for (equal, digits) in found.iter_mut().zip(&self.counts.digits) {
            let mut more = [0; LANES];
            for (place, digit) in digits[..self.counts.depth].iter().enumerate().rev() {
                let asked = if self.count >> place & 1 == 0 { 0 } else { u64::MAX };
                for lane in 0..LANES {
                    more[lane] |= equal[lane] & digit[lane] & !asked;
                    equal[lane] &= !(digit[lane] ^ asked);
                }
            }
            for lane in 0..LANES {
                equal[lane] |= more[lane];
            }
        }
        found
    }
}

/// Add rows up, a binary digit at a time.
struct Counting<'a> {
    rows: &'a [&'a [Lanes]],
    stride: usize,
    /// Digits that the largest count has.
    depth: usize,
}

impl Work for Counting<'_> {
    type Out = Counts;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> Counts {
        let mut counts = vec![[[0; LANES]; DIGITS]; self.stride];
        for (at, digits) in counts.iter_mut().enumerate() {
            let [ones, higher @ ..] = digits;
            let mut pairs = self.rows.chunks_exact(2);
            for pair in &mut pairs {
                let (left, right) = (&pair[0][at], &pair[1][at]);
                let mut carry = [0; LANES];
                for lane in 0..LANES {
                    let either = left[lane] ^ right[lane];
                    carry[lane] = (left[lane] & right[lane]) | (ones[lane] & either);
                    ones[lane] ^= either;
                }
                add(&mut higher[..self.depth.saturating_sub(1)], carry);
            }
            if let [last] = pairs.remainder() {
                add(&mut digits[..self.depth], last[at]);
            }
        }
        Counts { digits: counts, depth: self.depth }
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
fn add(digits: &mut [Lanes], mut carry: Lanes) {
    for digit in digits {
        for lane in 0..LANES {
            let both = digit[lane] & carry[lane];
            digit[lane] ^= carry[lane];
            carry[lane] = both;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAPACITY: usize = 700;

    /// The choice by its definition: rank all, newest first.
    fn plain(blocks: &[(Option<[u64; SKETCH]>, u8)], incoming: &[u64; SKETCH], strengths: &[f64]) -> Vec<usize> {
        let newest_first = blocks.iter().rev().take(CAPACITY).enumerate();
        let saying: Vec<_> =
            newest_first.filter_map(|(age, (sketch, author))| sketch.map(|sketch| (age, sketch, *author))).collect();
        let rank = |wanted: &dyn Fn(u8) -> bool, most: usize| {
            let wanted = saying.iter().filter(|(_, _, author)| wanted(*author)).enumerate();
            let mut ranked: Vec<(f64, usize)> = wanted
                .map(|(place, (age, sketch, _))| {
                    let common: u32 =
                        sketch.iter().zip(incoming).map(|(left, right)| (left & right).count_ones()).sum();
                    let newest = if place < most.div_ceil(8) { 1e6 } else { 0.0 };
                    (newest + f64::from(common) * strengths[*age], *age)
                })
                .collect();
            ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
            ranked.into_iter().take(most).map(|(_, age)| age).collect::<Vec<_>>()
        };
        let mut ages = rank(&|_| true, CANDIDATES);
        let author_of = |age: &usize| blocks[blocks.len() - 1 - age].1;
        let crowds = |author: &u8| ages.iter().filter(|age| author_of(age) == *author).count() > CANDIDATES / 2;
        if let Some(author) = (0..=u8::MAX).find(crowds) {
            let others = rank(&|other| other != author, CANDIDATES / 2);
            ages = rank(&|other| other == author, CANDIDATES - others.len());
            ages.extend(others);
        }
        ages.sort_unstable();
        ages
    }

    fn sketches(bits: usize) -> impl Strategy<Value = Option<[u64; SKETCH]>> {
        prop::option::weighted(0.97, prop::collection::vec(0..BITS, 0..=bits)).prop_map(|bits| {
            bits.map(|bits| {
                let mut sketch = [0; SKETCH];
                for bit in bits {
                    sketch[bit * bit % BITS / 64] |= 1 << (bit * bit % 64);
                }
                sketch
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn the_choice_is_that_of_ranking_all(
            blocks in (0..3_usize).prop_flat_map(|size| prop::collection::vec(sketches([3, 30, 200][size]), 200..1_500)),
            incoming in (0..3_usize).prop_flat_map(|size| sketches([1, 40, 256][size])),
            levels in prop::collection::vec(prop::sample::select(vec![0.4, 0.8, 0.83, 0.994, 1.0, 0.0]), 1..5),
            floor: bool,
            authors in prop::sample::select(vec![1_u8, 2, 3, 40]),
            loud in prop::sample::select(vec![1_usize, 2, 5]),
        ) {
            let mut held = Sketches::new(CAPACITY);
            // One author is the louder, the more seldom another has its turn.
            let whose = |at: usize| if at.is_multiple_of(loud) { u8::try_from(at * at % 251).unwrap() % authors } else { 0 };
            let blocks: Vec<_> = blocks.into_iter().enumerate().map(|(at, block)| (block, whose(at))).collect();
            for (at, (block, author)) in blocks.iter().enumerate() {
                let oldest = at.checked_sub(CAPACITY).and_then(|oldest| blocks[oldest].0.as_ref());
                held.push(NodeId::from_bytes([*author; 16]), block.as_ref(), oldest);
            }
            let says = blocks.iter().rev().take(CAPACITY).filter(|(block, _)| block.is_some()).count();
            prop_assert_eq!(held.saying(), says);
            let incoming = incoming.unwrap_or_default();
            let strengths: Vec<f64> = (0..CAPACITY)
                .map(|age| if floor { 0.8 } else { levels[age * age % 7 % levels.len()] })
                .collect();
            if says > CANDIDATES {
                prop_assert_eq!(held.choose(&incoming, |age| strengths[age]), plain(&blocks, &incoming, &strengths));
            }
        }
    }
}
