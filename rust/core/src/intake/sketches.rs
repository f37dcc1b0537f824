//! The sketches of held blocks, turned round: for each bit of a sketch, which blocks have it. So what a newcomer has in
//! common with thousands is counted sixty-four blocks at a time, and only those that may be chosen are looked at.
//!
//! The choice is that of ranking all of them: by the common bits times how much a block counts, the newer first of equals.

use covey_kernels::{Work, widest};

use crate::limits::{CANDIDATES, CANDIDATES_NEWEST};
use crate::svaf::SKETCH;

/// Bits of a sketch.
const BITS: usize = 64 * SKETCH;
/// Numbers counted at once: two of the widest vectors.
const LANES: usize = 8;
/// Binary digits of a count: a block has at most 256 words.
const DIGITS: usize = 9;
/// Blocks chosen by rank, beside the newest.
const RANKED: usize = CANDIDATES - CANDIDATES_NEWEST;

/// The sketch of a block; nothing of one that says nothing.
pub(super) type Sketch<'a> = Option<&'a [u64; SKETCH]>;
type Lanes = [u64; LANES];

/// The sketches of the newest blocks, in a ring.
#[derive(Debug)]
pub(super) struct Sketches {
    /// One bit for each block: for each bit of a sketch in turn, and behind them whether it says anything.
    rows: Vec<Lanes>,
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
        Self { rows: vec![[0; LANES]; (BITS + 1) * stride], stride, capacity, next: 0, saying: 0 }
    }

    /// Take a block in, as the newest. In a full ring it takes the place of the oldest, whose sketch is given.
    pub(super) fn push(&mut self, newest: Sketch<'_>, oldest: Sketch<'_>) {
        self.put(oldest, false);
        self.put(newest, true);
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
    pub(super) fn choose(&self, incoming: &[u64; SKETCH], strength: impl Fn(usize) -> f64) -> Vec<usize> {
        let counts = self.count(incoming);
        let mut others = self.row(BITS).to_vec();
        let mut chosen = self.newest(&others, CANDIDATES_NEWEST);
        for age in &chosen {
            let slot = self.slot(*age);
            others[slot / (64 * LANES)][slot / 64 % LANES] &= !(1 << (slot % 64));
        }
        let rank = |age: usize| f64::from(counts.of(self.slot(age))) * strength(age);
        let level = counts.level(&others, RANKED);
        // As many as are chosen have the level; what ranks below the last of them is not chosen.
        let sure = self.newest(&counts.at_least(&others, level), RANKED);
        let least = sure.iter().map(|age| rank(*age)).fold(f64::INFINITY, f64::min);
        let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(2 * RANKED);
        // What has nothing in common ranks by age alone, so that of those the newest are enough.
        let nothing = if level == 0 || least <= 0.0 { self.newest(&counts.none(&others), RANKED) } else { Vec::new() };
        let some = self.newest(&counts.at_least(&others, below(least).max(1)), usize::MAX);
        ranked.extend(some.into_iter().chain(nothing).map(|age| (rank(age), age)));
        if ranked.len() > RANKED {
            let before =
                |left: &(f64, usize), right: &(f64, usize)| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1));
            ranked.select_nth_unstable_by(RANKED - 1, before);
            ranked.truncate(RANKED);
        }
        chosen.extend(ranked.into_iter().map(|(_, age)| age));
        chosen.sort_unstable();
        chosen
    }

    const fn slot(&self, age: usize) -> usize {
        (self.next + 2 * self.capacity - 1 - age) % self.capacity
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
                found.push((last + self.capacity - (64 * at + bit)) % self.capacity);
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

/// How many bits each block has in common with a newcomer: the binary digits of all counts, lowest first.
struct Counts(Vec<[Lanes; DIGITS]>);

impl Counts {
    fn of(&self, slot: usize) -> u32 {
        let digits = &self.0[slot / (64 * LANES)];
        let one = |digit: &Lanes| u32::from(digit[slot / 64 % LANES] >> (slot % 64) & 1 == 1);
        digits.iter().rev().fold(0, |count, digit| 2 * count + one(digit))
    }

    /// The largest count that at least `most` of the marked blocks reach; 0 where there are fewer.
    fn level(&self, marked: &[Lanes], most: usize) -> u32 {
        let (mut level, mut above, mut equal) = (0, 0, marked.to_vec());
        for digit in (0..DIGITS).rev() {
            let with = self.each(&equal, |equal, digits| equal & digits[digit]);
            let reached = above + with.iter().flatten().map(|number| number.count_ones() as usize).sum::<usize>();
            if reached >= most {
                (level, equal) = (level | 1 << digit, with);
            } else {
                above = reached;
                equal = self.each(&equal, |equal, digits| equal & !digits[digit]);
            }
        }
        level
    }

    /// The marked blocks that reach a count.
    fn at_least(&self, marked: &[Lanes], count: u32) -> Vec<Lanes> {
        self.each(marked, |marked, digits| {
            let (mut more, mut equal) = (0, marked);
            for (digit, value) in digits.iter().enumerate().rev() {
                if count >> digit & 1 == 0 {
                    more |= equal & value;
                    equal &= !value;
                } else {
                    equal &= value;
                }
            }
            more | equal
        })
    }

    /// The marked blocks that have nothing in common with the newcomer.
    fn none(&self, marked: &[Lanes]) -> Vec<Lanes> {
        self.each(marked, |marked, digits| digits.iter().fold(marked, |left, digit| left & !digit))
    }

    fn each(&self, marked: &[Lanes], of: impl Fn(u64, [u64; DIGITS]) -> u64) -> Vec<Lanes> {
        let lanes = marked.iter().zip(&self.0);
        lanes
            .map(|(marked, digits)| std::array::from_fn(|lane| of(marked[lane], digits.map(|digit| digit[lane]))))
            .collect()
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
        Counts(counts)
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
    fn plain(blocks: &[Option<[u64; SKETCH]>], incoming: &[u64; SKETCH], strengths: &[f64]) -> Vec<usize> {
        let newest_first = blocks.iter().rev().take(CAPACITY).enumerate();
        let saying: Vec<_> = newest_first.filter_map(|(age, sketch)| sketch.map(|sketch| (age, sketch))).collect();
        let mut ranked: Vec<(f64, usize)> = saying
            .iter()
            .enumerate()
            .map(|(place, (age, sketch))| {
                let common: u32 = sketch.iter().zip(incoming).map(|(left, right)| (left & right).count_ones()).sum();
                let newest = if place < CANDIDATES_NEWEST { 1e6 } else { 0.0 };
                (newest + f64::from(common) * strengths[*age], *age)
            })
            .collect();
        ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        let mut ages: Vec<usize> = ranked[..CANDIDATES].iter().map(|(_, age)| *age).collect();
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
        ) {
            let mut held = Sketches::new(CAPACITY);
            for (at, block) in blocks.iter().enumerate() {
                let oldest = at.checked_sub(CAPACITY).and_then(|oldest| blocks[oldest].as_ref());
                held.push(block.as_ref(), oldest);
            }
            let says = blocks.iter().rev().take(CAPACITY).flatten().count();
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
