//! What held blocks count at least and at most, for each sixty-four of them: so most are chosen or left out unasked.
//!
//! Bounds only say who has to be asked. Whoever they leave open is ranked by what it counts, so that the choice hangs on no
//! bound, and they may be loose.

use super::counts::Counts;
use super::{LANES, Lanes, Strength};

/// For how long bounds are good enough: age takes little from a block in so many milliseconds.
pub(in crate::intake) const BOUNDS_MS: u64 = 1_000;
/// More than any block has in common with another.
const BEYOND: f64 = 512.0;
/// More than rounding can make of a rank, or of what time leaves.
const ROUNDING: f64 = 1e-9;
/// How often the distance is halved between a rank that enough blocks reach and one that too few do: what is left is less
/// than a bit in common.
const HALVINGS: usize = 6;
/// Ranks of settled blocks that are tried: more than lie between what the halvings leave, where each counts a half or more.
/// Of blocks that count next to nothing no end of them lies there.
const SETTLED_STEPS: u32 = 16;
/// So many more than are wanted are not worth another halving.
const ENOUGH: usize = 12;

/// What blocks count, one number for each sixty-four.
pub(super) type Each = [f64; LANES];

/// Bounds that hold for a while, since time only takes, and not fast.
#[derive(Debug)]
pub(super) struct Bounds {
    /// When the first and the last of them were found; nothing where they no longer hold.
    found: Option<(u64, u64)>,
    /// None counts less, none counts more. They are one where time takes nothing any more and all count the same.
    least: Vec<Each>,
    most: Vec<Each>,
    /// Slots whose blocks came, or came to count more, since then.
    fresh: Vec<usize>,
}

impl Bounds {
    /// Nothing is known.
    pub(super) const fn new() -> Self {
        Self { found: None, least: Vec::new(), most: Vec::new(), fresh: Vec::new() }
    }

    /// Know that the block of a slot is another, or counts more.
    pub(super) fn renew(&mut self, slot: usize) {
        if self.found.is_some() {
            self.fresh.push(slot);
        }
        if self.fresh.len() > 64 * self.least.len() {
            self.forget();
        }
    }

    /// Know nothing any more.
    pub(super) fn forget(&mut self) {
        self.found = None;
        self.fresh.clear();
    }

    /// Find what is not known of `stride` lanes: of fresh slots, or of all where too much time went by. `all` gives every
    /// slot, `age` what age a slot's block has.
    pub(super) fn find(
        &mut self,
        stride: usize,
        now_ms: u64,
        strength: &mut impl Strength,
        all: impl FnOnce() -> Vec<usize>,
        age: impl Fn(usize) -> usize,
    ) {
        let lasting = |(first, last): &(u64, u64)| (*last..=first.saturating_add(BOUNDS_MS)).contains(&now_ms);
        let (first, slots) = if let Some((first, _)) = self.found.filter(lasting) {
            (first, std::mem::take(&mut self.fresh))
        } else {
            self.forget();
            self.least = vec![[f64::INFINITY; LANES]; stride];
            self.most = vec![[0.0; LANES]; stride];
            (now_ms, all())
        };
        self.found = Some((first, now_ms));
        let kept = strength.kept();
        let (least, most) = (self.least.as_flattened_mut(), self.most.as_flattened_mut());
        for slot in slots {
            let (now, end) = (strength.now(age(slot)).max(0.0), strength.in_the_end(age(slot)));
            let settled = now <= end;
            let low = if settled { now } else { (now * kept).max(end) * (1.0 - ROUNDING) };
            let high = if settled { now } else { now * (1.0 + ROUNDING) };
            least[slot / 64] = low.max(0.0).min(least[slot / 64]);
            most[slot / 64] = high.max(most[slot / 64]);
        }
    }

    /// A rank above nothing that at least `wanted` of the marked blocks have, and few more as far as bounds tell; `None`
    /// where they tell of none. As many have so much in common as `level` says.
    pub(super) fn reached(&self, counts: &Counts, marked: &[Lanes], wanted: usize, level: f64) -> Option<f64> {
        let reaching = |rank: f64| counts.ranking(marked, rank, &self.least);
        let weakest = self.least.as_flattened().iter().copied().fold(1.0, f64::min);
        let (mut low, mut high) = (level * weakest * (1.0 - ROUNDING), level + 1.0);
        if low <= 0.0 {
            return None;
        }
        for _ in 0..HALVINGS {
            let between = low.midpoint(high);
            match reaching(between) {
                few if few < wanted => high = between,
                many => {
                    low = between;
                    if many <= wanted + ENOUGH {
                        break;
                    }
                }
            }
        }
        // Of those that time takes nothing from any more, many have one and the same rank: then it is that.
        if let Some(settled) = self.settled() {
            let most = (high / settled).floor();
            for fewer in 0..SETTLED_STEPS {
                let rank = (most - f64::from(fewer)) * settled;
                if rank <= low {
                    break;
                }
                if reaching(rank) >= wanted {
                    return Some(rank);
                }
            }
        }
        Some(low)
    }

    /// Of marked blocks, all that may rank above `least`, those that are among the `wanted` highest whatever each counts
    /// exactly. No `wanted` have more in common than `level` says.
    pub(super) fn sure(
        &self,
        counts: &Counts,
        marked: &[Lanes],
        wanted: usize,
        [least, level]: [f64; 2],
    ) -> Vec<Lanes> {
        let (mut low, mut high) = (least.max(0.0), (level + 1.0) * (1.0 + 2.0 * ROUNDING));
        for _ in 0..HALVINGS {
            let between = low.midpoint(high);
            match counts.ranking(marked, between, &self.most) {
                many if many > wanted => low = between,
                some => {
                    high = between;
                    if some + ENOUGH >= wanted {
                        break;
                    }
                }
            }
        }
        // No more than are wanted may rank so high: who does for sure is among them.
        let asked: Vec<Lanes> = self.least.iter().map(|each| needed(high, each)).collect();
        counts.reaching(marked, &asked)
    }

    /// What some blocks count for good.
    fn settled(&self) -> Option<f64> {
        let mut each = self.least.as_flattened().iter().zip(self.most.as_flattened());
        each.find(|(least, most)| settled(**least, **most)).map(|(least, _)| *least)
    }

    /// How much blocks need in common with a newcomer, at least anything: for a rank, as far as bounds tell, and where they
    /// are settled, for more than it.
    pub(super) fn asked(&self, rank: f64) -> [Vec<Lanes>; 2] {
        if rank <= 0.0 {
            return [vec![[1; LANES]; self.most.len()], vec![[1; LANES]; self.most.len()]];
        }
        let reached: Vec<Lanes> = self.most.iter().map(|each| needed(rank, each)).collect();
        let mut above = reached.clone();
        let bounds = self.least.as_flattened().iter().zip(self.most.as_flattened());
        for (above, (least, most)) in above.as_flattened_mut().iter_mut().zip(bounds) {
            let common = f64::from(u32::try_from(*above).unwrap_or(u32::MAX));
            *above += u64::from(settled(*least, *most) && common * most <= rank);
        }
        [reached, above]
    }
}

/// Whether bounds say that time takes nothing any more from blocks that all count the same, above nothing.
fn settled(least: f64, most: f64) -> bool {
    least > 0.0 && least.total_cmp(&most).is_eq()
}

/// From here on numbers of 64 bits have no digits behind the point: what is added to it is rounded.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// How much blocks need in common so that it reaches a rank above nothing, where each counts so much.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
pub(super) fn needed(rank: f64, each: &Each) -> Lanes {
    let mut needed = [0; LANES];
    for lane in 0..LANES {
        let some = rank / each[lane] * (1.0 - ROUNDING);
        let some = if some < BEYOND { some } else { BEYOND };
        // No less than some, and at most one less than is needed; a product says whether it is.
        let whole = some + 0.5 + WHOLE;
        let less = (whole - WHOLE) * each[lane] < rank;
        needed[lane] = (whole.to_bits() - WHOLE.to_bits()) + u64::from(less);
    }
    needed
}
