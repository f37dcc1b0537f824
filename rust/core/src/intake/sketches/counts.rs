//! How many bits of a newcomer's sketch each held block has, for all blocks at once: numbers whose binary digits stand in rows,
//! so that one instruction adds or compares the counts of as many blocks as a vector has bits.

use covey_kernels::{Work, widest};

use super::bounds::{Each, needed};
use super::{LANES, Lanes, place, without};

/// Binary digits of a count: a block has at most 256 words.
const DIGITS: usize = 9;

/// How many bits each block has in common with a newcomer: the binary digits of all counts, lowest first.
pub(super) struct Counts {
    digits: Vec<[Lanes; DIGITS]>,
    /// Digits that the largest count has.
    depth: usize,
}

impl Counts {
    /// Add up rows of so many lanes: one for each bit that the newcomer has.
    pub(super) fn of_rows(rows: &[&[Lanes]], stride: usize) -> Self {
        let depth = (usize::BITS - rows.len().leading_zeros()) as usize;
        widest(Counting { rows, stride, depth: depth.min(DIGITS) })
    }

    /// The count of one slot.
    pub(super) fn of(&self, slot: usize) -> u16 {
        let (lanes, number, bit) = place(slot);
        let digits = self.digits[lanes][..self.depth].iter().rev();
        digits.fold(0, |count, digit| count << 1 | u16::from(digit[number] & bit != 0))
    }

    /// The largest count that at least `most` of the marked blocks reach; 0 where there are fewer.
    pub(super) fn level(&self, marked: &[Lanes], most: usize) -> u32 {
        widest(Levelling { counts: self, marked, most })
    }

    /// The marked blocks that reach a count.
    pub(super) fn at_least(&self, marked: &[Lanes], count: u32) -> Vec<Lanes> {
        self.reaching(marked, &vec![[u64::from(count); LANES]; marked.len()])
    }

    /// The marked blocks that reach the count asked of their sixty-four slots.
    pub(super) fn reaching(&self, marked: &[Lanes], asked: &[Lanes]) -> Vec<Lanes> {
        widest(Reaching { counts: self, marked, asked })
    }

    /// How many marked blocks reach a rank above nothing, where those of sixty-four slots each count so much.
    pub(super) fn ranking(&self, marked: &[Lanes], rank: f64, each: &[Each]) -> usize {
        widest(Ranking { counts: self, marked, rank, each })
    }

    /// The marked blocks that have nothing in common with the newcomer.
    pub(super) fn none(&self, marked: &[Lanes]) -> Vec<Lanes> {
        without(marked, &self.at_least(marked, 1))
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
    asked: &'a [Lanes],
}

impl Work for Reaching<'_> {
    type Out = Vec<Lanes>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> Vec<Lanes> {
        let mut found = Vec::with_capacity(self.marked.len());
        for ((marked, digits), asked) in self.marked.iter().zip(&self.counts.digits).zip(self.asked) {
            found.push(reaching(&digits[..self.counts.depth], marked, asked));
        }
        found
    }
}

/// Those of marked blocks whose counts, by their digits, reach what is asked.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
fn reaching(digits: &[Lanes], marked: &Lanes, asked: &Lanes) -> Lanes {
    let (mut equal, mut more) = (*marked, [0; LANES]);
    for (place, digit) in digits.iter().enumerate().rev() {
        for lane in 0..LANES {
            let asked = (asked[lane] >> place & 1).wrapping_neg();
            more[lane] |= equal[lane] & digit[lane] & !asked;
            equal[lane] &= !(digit[lane] ^ asked);
        }
    }
    for lane in 0..LANES {
        // What is more than the largest count is reached by none.
        more[lane] = if asked[lane] >> digits.len() == 0 { equal[lane] | more[lane] } else { 0 };
    }
    more
}

/// Count who reaches a rank.
struct Ranking<'a> {
    counts: &'a Counts,
    marked: &'a [Lanes],
    rank: f64,
    each: &'a [Each],
}

impl Work for Ranking<'_> {
    type Out = usize;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> usize {
        let mut number = 0;
        for ((marked, digits), each) in self.marked.iter().zip(&self.counts.digits).zip(self.each) {
            let found = reaching(&digits[..self.counts.depth], marked, &needed(self.rank, each));
            number += found.iter().map(|found| u64::from(found.count_ones())).sum::<u64>();
        }
        usize::try_from(number).unwrap_or(usize::MAX)
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
        let (mut counts, nothing) = (Vec::with_capacity(self.stride), vec![[0; LANES]; self.stride]);
        let (eights, rest) = self.rows.as_chunks::<EIGHT>();
        let last = std::array::from_fn(|at| rest.get(at).copied().unwrap_or(&nothing));
        for at in 0..self.stride {
            let mut digits = [[0; LANES]; DIGITS];
            let [mut ones, mut twos, mut fours] = [[0; LANES]; 3];
            let (lower, higher) = digits.split_at_mut(3);
            let higher = &mut higher[..self.depth.saturating_sub(3)];
            for rows in eights.iter().chain([&last]) {
                let mut pair = |left: usize| added(&mut ones, &rows[left][at], &rows[left + 1][at]);
                let pairs = [pair(0), pair(2), pair(4), pair(6)];
                let halves = [added(&mut twos, &pairs[0], &pairs[1]), added(&mut twos, &pairs[2], &pairs[3])];
                add(higher, added(&mut fours, &halves[0], &halves[1]));
            }
            lower.copy_from_slice(&[ones, twos, fours]);
            counts.push(digits);
        }
        Counts { digits: counts, depth: self.depth }
    }
}

/// Rows that are added up together.
const EIGHT: usize = 8;

/// Add two numbers of one binary digit to a digit; returns what is carried.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
fn added(digit: &mut Lanes, left: &Lanes, right: &Lanes) -> Lanes {
    let mut carry = [0; LANES];
    for lane in 0..LANES {
        let either = digit[lane] ^ left[lane];
        carry[lane] = (digit[lane] & left[lane]) | (either & right[lane]);
        digit[lane] = either ^ right[lane];
    }
    carry
}

/// Add a number of one binary digit.
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
#[path = "counts_tests.rs"]
mod tests;
