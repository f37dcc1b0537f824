//! The sketches of held blocks, turned round: for each bit of a sketch, which blocks have it. So what a newcomer has in
//! common with thousands is counted sixty-four blocks at a time, and only those that may be chosen are looked at.
//!
//! The choice is that of ranking all of them: by the common bits times how much a block counts, the newer first of equals. Where one
//! author has more than half of it, half is chosen among that author's blocks and half among those of all others.

mod bounds;
mod counts;
#[cfg(test)]
mod tests;

pub(super) use bounds::BOUNDS_MS;
use bounds::Bounds;
use counts::Counts;
use covey_kernels::{Work, widest};

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

/// How much a block of an age counts, from 0 to 1.
pub(super) trait Strength {
    /// Now: no more than at any time before, unless [`Sketches::reweighed`] or [`Sketches::all_reweighed`] tells of it.
    fn now(&mut self, age: usize) -> f64;
    /// When time has taken all it takes.
    fn in_the_end(&mut self, age: usize) -> f64;
    /// What share of any block's strength time leaves at least in [`BOUNDS_MS`].
    fn kept(&self) -> f64;
}

/// The sketches of the newest blocks, in a ring.
#[derive(Debug)]
pub(super) struct Sketches {
    /// One bit for each block: for each bit of a sketch in turn, and behind them whether it says anything.
    rows: Vec<Lanes>,
    /// Whose the block in each place is.
    authors: Vec<NodeId>,
    /// Who crowded the last choice in which somebody did, and the places of that author's blocks.
    crowd: Option<(NodeId, Vec<Lanes>)>,
    bounds: Bounds,
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
        let (authors, rows) = (vec![NodeId::from_bytes([0; 16]); capacity], vec![[0; LANES]; (BITS + 1) * stride]);
        Self { rows, authors, crowd: None, bounds: Bounds::new(), stride, capacity, next: 0, saying: 0 }
    }

    /// Take a block of an author in, as the newest. In a full ring it takes the place of the oldest, whose sketch is given.
    pub(super) fn push(&mut self, author: NodeId, newest: Sketch<'_>, oldest: Sketch<'_>) {
        self.put(oldest, false);
        self.put(newest, true);
        self.authors[self.next] = author;
        let (lanes, number, bit) = place(self.next);
        if let Some((crowding, theirs)) = &mut self.crowd {
            let owned = &mut theirs[lanes][number];
            *owned = if *crowding == author { *owned | bit } else { *owned & !bit };
        }
        self.bounds.renew(self.next);
        self.next = (self.next + 1) % self.capacity;
    }

    /// Know that the block of an age may count more than it did.
    pub(super) fn reweighed(&mut self, age: usize) {
        if age < self.capacity {
            self.bounds.renew(self.slot(age));
        }
    }

    /// Know that any block may: bounds are found anew.
    pub(super) fn all_reweighed(&mut self) {
        self.bounds.forget();
    }

    /// How many of the blocks say something.
    pub(super) const fn saying(&self) -> usize {
        self.saying
    }

    fn put(&mut self, sketch: Sketch<'_>, there: bool) {
        let Some(sketch) = sketch else { return };
        self.saying = if there { self.saying + 1 } else { self.saying - 1 };
        let (lanes, number, bit) = place(self.next);
        for row in ones(sketch).chain([BITS]) {
            let held = &mut self.rows[row * self.stride + lanes][number];
            *held = if there { *held | bit } else { *held & !bit };
        }
    }

    fn row(&self, row: usize) -> &[Lanes] {
        &self.rows[row * self.stride..][..self.stride]
    }

    /// Choose blocks for a newcomer that comes at `now_ms`, by their age (0 is the newest), newest first. There are more
    /// blocks that say something than are chosen.
    pub(super) fn choose(&mut self, incoming: &[u64; SKETCH], now_ms: u64, strength: &mut impl Strength) -> Vec<usize> {
        self.bound(now_ms, strength);
        let counts = self.count(incoming);
        let chosen = self.pick(&counts, self.row(BITS), CANDIDATES, strength);
        let Some(author) = self.crowding(&chosen) else { return self.newest(&chosen, CANDIDATES) };
        self.crowded_by(author);
        let [theirs, rest] = self.parted();
        let others = number(&rest).min(CANDIDATES - CANDIDATES_OF_ONE);
        if others == 0 {
            return self.newest(&chosen, CANDIDATES);
        }
        let mut both = self.pick(&counts, &rest, others, strength);
        let theirs = self.pick(&counts, &theirs, CANDIDATES - others, strength);
        join(&mut both, &theirs);
        self.newest(&both, CANDIDATES)
    }

    /// The author of more than [`CANDIDATES_OF_ONE`] of the chosen blocks, if one is: often who was it before.
    fn crowding(&self, chosen: &[Lanes]) -> Option<NodeId> {
        if let Some((author, theirs)) = &self.crowd
            && common(chosen, theirs) > CANDIDATES_OF_ONE
        {
            return Some(*author);
        }
        crowding(self.newest(chosen, CANDIDATES).into_iter().map(|age| self.authors[self.slot(age)]))
    }

    /// Find what blocks count that is not known.
    fn bound(&mut self, now_ms: u64, strength: &mut impl Strength) {
        let mut bounds = std::mem::replace(&mut self.bounds, Bounds::new());
        let all = || self.newest(self.row(BITS), usize::MAX).into_iter().map(|age| self.slot(age)).collect();
        bounds.find(self.stride, now_ms, strength, all, |slot| self.age(slot));
        self.bounds = bounds;
    }

    /// Know the places of an author's blocks, of whom the last choice was full.
    fn crowded_by(&mut self, author: NodeId) {
        if self.crowd.as_ref().is_some_and(|(known, _)| *known == author) {
            return;
        }
        let mut theirs = vec![[0; LANES]; self.stride];
        for (number, owners) in theirs.as_flattened_mut().iter_mut().zip(self.authors.chunks(64)) {
            *number = owners.iter().rev().fold(0, |bits, owner| bits << 1 | u64::from(*owner == author));
        }
        self.crowd = Some((author, theirs));
    }

    /// Of the blocks that say something those of the author who crowds, and those of all others.
    fn parted(&self) -> [Vec<Lanes>; 2] {
        let every = self.row(BITS);
        let owned: &[Lanes] = self.crowd.as_ref().map_or(&[], |(_, owned)| owned);
        let masked = |flip: u64| {
            let both = every.iter().zip(owned);
            both.map(|(every, owned)| std::array::from_fn(|lane| every[lane] & (owned[lane] ^ flip))).collect()
        };
        [masked(0), masked(u64::MAX)]
    }

    /// Choose so many of the marked blocks: the newest, of each eight one, and the others by rank; all where there are no
    /// more.
    fn pick(&self, counts: &Counts, marked: &[Lanes], most: usize, strength: &mut impl Strength) -> Vec<Lanes> {
        if number(marked) <= most {
            return marked.to_vec();
        }
        let (mut chosen, mut others) = (vec![[0; LANES]; self.stride], marked.to_vec());
        let newest = self.newest(&others, most.div_ceil(CANDIDATES / CANDIDATES_NEWEST));
        let ranking = most - newest.len();
        for (lanes, number, bit) in newest.into_iter().map(|age| place(self.slot(age))) {
            others[lanes][number] &= !bit;
            chosen[lanes][number] |= bit;
        }
        let level = counts.level(&others, ranking);
        let mut rank = |age| f64::from(counts.of(self.slot(age))) * strength.now(age);
        // As many as are chosen rank so; what ranks below is not chosen.
        let least = self.bounds.reached(counts, &others, ranking, f64::from(level)).unwrap_or_else(|| {
            let sure = self.newest(&counts.at_least(&others, level), ranking);
            sure.iter().map(|age| rank(*age)).fold(f64::INFINITY, f64::min)
        });
        let [asked, above] = self.bounds.asked(least);
        let (reached, some) = (counts.reaching(&others, &asked), counts.reaching(&others, &above));
        // Of those known to rank last, and of those that have nothing in common and so rank by age alone, the newest are
        // enough.
        let mut ties = self.newest(&without(&reached, &some), ranking);
        let nothing = if level == 0 || least <= 0.0 { self.newest(&counts.none(&others), ranking) } else { Vec::new() };
        let sure = self.bounds.sure(counts, &some, ranking, [least, f64::from(level)]);
        join(&mut chosen, &sure);
        let ranking = ranking - number(&sure);
        let mut ranked = Vec::with_capacity(ranking);
        for age in self.newest(&without(&some, &sure), usize::MAX).into_iter().chain(nothing) {
            let rank = rank(age);
            if rank > least {
                ranked.push((rank, age));
            } else if rank >= least {
                ties.push(age);
            }
        }
        if ranking < ranked.len() {
            let before =
                |left: &(f64, usize), right: &(f64, usize)| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1));
            ranked.select_nth_unstable_by(ranking, before);
            ranked.truncate(ranking);
        }
        // Of those that rank last the newest fill up what is left.
        let left = ranking - ranked.len();
        if left < ties.len() {
            ties.select_nth_unstable(left);
            ties.truncate(left);
        }
        for age in ranked.into_iter().map(|(_, age)| age).chain(ties) {
            let (lanes, number, bit) = place(self.slot(age));
            chosen[lanes][number] |= bit;
        }
        chosen
    }

    const fn slot(&self, age: usize) -> usize {
        let back = age + 1;
        if self.next >= back { self.next - back } else { self.next + self.capacity - back }
    }

    /// The age of a slot's block: the same the other way round.
    const fn age(&self, slot: usize) -> usize {
        self.slot(slot)
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

fn without(marked: &[Lanes], others: &[Lanes]) -> Vec<Lanes> {
    marked.iter().zip(others).map(|(marked, others)| std::array::from_fn(|lane| marked[lane] & !others[lane])).collect()
}

fn join(marked: &mut [Lanes], others: &[Lanes]) {
    marked.as_flattened_mut().iter_mut().zip(others.as_flattened()).for_each(|(marked, other)| *marked |= other);
}

fn number(marked: &[Lanes]) -> usize {
    common(marked, marked)
}

/// How many blocks both mark.
fn common(marked: &[Lanes], others: &[Lanes]) -> usize {
    widest(Common { marked, others })
}

struct Common<'a> {
    marked: &'a [Lanes],
    others: &'a [Lanes],
}

impl Work for Common<'_> {
    type Out = usize;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> usize {
        let mut number = 0;
        for (marked, others) in self.marked.iter().zip(self.others) {
            for lane in 0..LANES {
                number += u64::from((marked[lane] & others[lane]).count_ones());
            }
        }
        usize::try_from(number).unwrap_or(usize::MAX)
    }
}

/// Where the bit of a slot stands.
const fn place(slot: usize) -> (usize, usize, u64) {
    (slot / (64 * LANES), slot / 64 % LANES, 1 << (slot % 64))
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
