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

/// For how long bounds on what blocks count are good enough: age takes little from a block in so many milliseconds.
const BOUNDS_MS: u64 = 1_000;
/// More than any block has in common with another.
const BEYOND: u64 = 512;
/// More than rounding can make of a rank.
const ROUNDING: f64 = 1e-9;

/// What the blocks of sixty-four places count. Time only takes from that, so it holds for a while.
#[derive(Clone, Copy, Debug)]
struct Bound {
    /// None counts more.
    most: f64,
    /// Time takes nothing any more: all count this, above nothing.
    settled: Option<f64>,
}

/// What blocks count that came since bounds were found.
const UNKNOWN: Bound = Bound { most: 1.0, settled: None };

#[derive(Debug)]
struct Bounds {
    /// When they were found; nothing where they no longer hold.
    at: Option<u64>,
    of: Vec<Bound>,
}

/// How much a block of an age counts, from 0 to 1.
pub(super) trait Strength {
    /// Now: no more than at any time before, unless [`Sketches::reweighed`] or [`Sketches::all_reweighed`] tells of it.
    fn now(&mut self, age: usize) -> f64;
    /// When time has taken all it takes.
    fn in_the_end(&mut self, age: usize) -> f64;
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
        let bounds = Bounds { at: None, of: vec![UNKNOWN; stride * LANES] };
        Self { rows, authors, crowd: None, bounds, stride, capacity, next: 0, saying: 0 }
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
        self.bounds.of[self.next / 64] = UNKNOWN;
        self.next = (self.next + 1) % self.capacity;
    }

    /// Know that the block of an age may count more than it did.
    pub(super) fn reweighed(&mut self, age: usize) {
        if age < self.capacity {
            let slot = self.slot(age);
            self.bounds.of[slot / 64] = UNKNOWN;
        }
    }

    /// Know that any block may: bounds are found anew.
    pub(super) const fn all_reweighed(&mut self) {
        self.bounds.at = None;
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
        let chosen = self.newest(&self.pick(&counts, self.row(BITS), CANDIDATES, strength), CANDIDATES);
        let Some(author) = crowding(chosen.iter().map(|age| self.authors[self.slot(*age)])) else { return chosen };
        self.crowded_by(author);
        let [theirs, rest] = self.parted();
        let others = number(&rest).min(CANDIDATES - CANDIDATES_OF_ONE);
        if others == 0 {
            return chosen;
        }
        let mut both = self.pick(&counts, &rest, others, strength);
        let theirs = self.pick(&counts, &theirs, CANDIDATES - others, strength);
        both.as_flattened_mut().iter_mut().zip(theirs.as_flattened()).for_each(|(both, theirs)| *both |= theirs);
        self.newest(&both, CANDIDATES)
    }

    /// Find anew what blocks count, where what was found is too old.
    fn bound(&mut self, now_ms: u64, strength: &mut impl Strength) {
        if self.bounds.at.is_some_and(|at| (at..=at.saturating_add(BOUNDS_MS)).contains(&now_ms)) {
            return;
        }
        let mut of: Vec<Option<Bound>> = vec![None; self.bounds.of.len()];
        for age in self.newest(self.row(BITS), usize::MAX) {
            let (now, end) = (strength.now(age), strength.in_the_end(age));
            let settled = (now > 0.0 && now <= end).then_some(now);
            let held = &mut of[self.slot(age) / 64];
            *held = Some(match *held {
                None => Bound { most: now, settled },
                Some(Bound { most, settled: before }) => Bound { most: most.max(now), settled: same(before, settled) },
            });
        }
        let of = of.into_iter().map(|held| held.unwrap_or(UNKNOWN)).collect();
        self.bounds = Bounds { at: Some(now_ms), of };
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
        // As many as are chosen have the level; what ranks below the last of them is not chosen.
        let sure = self.newest(&counts.at_least(&others, level), ranking);
        let mut ranks = Ranks { sketches: self, counts, strength, asked: usize::MAX, unpacked: None };
        let least = sure.iter().map(|age| ranks.of(*age)).fold(f64::INFINITY, f64::min);
        let [asked, above] = self.asked(least);
        let (reached, some) = (counts.reaching(&others, &asked), counts.reaching(&others, &above));
        // Of those known to rank last, and of those that have nothing in common and so rank by age alone, the newest are
        // enough.
        let mut ties = self.newest(&without(&reached, &some), ranking);
        let some = self.newest(&some, usize::MAX);
        let nothing = if level == 0 || least <= 0.0 { self.newest(&counts.none(&others), ranking) } else { Vec::new() };
        let mut ranked = Vec::with_capacity(2 * ranking);
        for age in some.into_iter().chain(nothing) {
            let rank = ranks.of(age);
            if rank > least {
                ranked.push((rank, age));
            } else if rank >= least {
                ties.push(age);
            }
        }
        if ranked.len() > ranking {
            let before =
                |left: &(f64, usize), right: &(f64, usize)| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1));
            ranked.select_nth_unstable_by(ranking - 1, before);
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

    /// How much blocks need in common with a newcomer, at least anything: for a rank, as far as their bounds tell, and
    /// where they are settled, for more than it.
    fn asked(&self, rank: f64) -> [Vec<Lanes>; 2] {
        let needed = |bound: &Bound| {
            if rank <= 0.0 {
                return [1, 1];
            }
            let mut asked = above(rank / bound.most * (1.0 - ROUNDING)).max(1);
            let Some(settled) = bound.settled else { return [asked; 2] };
            let of = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) * settled;
            while asked < BEYOND && of(asked) < rank {
                asked += 1;
            }
            [asked, asked + u64::from(of(asked) <= rank)]
        };
        let (mut reached, mut beyond) = (vec![[0; LANES]; self.stride], vec![[0; LANES]; self.stride]);
        let both = reached.as_flattened_mut().iter_mut().zip(beyond.as_flattened_mut());
        for (bound, (reached, beyond)) in self.bounds.of.iter().zip(both) {
            [*reached, *beyond] = needed(bound);
        }
        [reached, beyond]
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

/// What both say, where it is the same.
fn same(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.zip(other).filter(|(one, other)| one.total_cmp(other).is_eq()).map(|(one, _)| one)
}

fn without(marked: &[Lanes], others: &[Lanes]) -> Vec<Lanes> {
    marked.iter().zip(others).map(|(marked, others)| std::array::from_fn(|lane| marked[lane] & !others[lane])).collect()
}

fn number(marked: &[Lanes]) -> usize {
    marked.as_flattened().iter().map(|number| number.count_ones() as usize).sum()
}

/// The least whole number that is no less, as far as it makes a difference: as much has to be in common.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a count can be")]
fn above(needed: f64) -> u64 {
    needed.clamp(0.0, 512.0).ceil() as u64
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

/// Blocks by rank: the bits in common times how much a block counts.
struct Ranks<'a, S> {
    sketches: &'a Sketches,
    counts: &'a Counts,
    strength: &'a mut S,
    /// Which sixty-four slots were asked for last: who is asked for comes in order. Their counts, once a second was.
    asked: usize,
    unpacked: Option<[u16; 64]>,
}

impl<S: Strength> Ranks<'_, S> {
    fn of(&mut self, age: usize) -> f64 {
        let slot = self.sketches.slot(age);
        let count = if self.asked == slot / 64 {
            self.unpacked.get_or_insert_with(|| self.counts.of(slot / 64))[slot % 64]
        } else {
            (self.asked, self.unpacked) = (slot / 64, None);
            self.counts.of_one(slot)
        };
        f64::from(count) * self.strength.now(age)
    }
}
