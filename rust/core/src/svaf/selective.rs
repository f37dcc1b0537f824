//! covey's own path: which blocks of memory matter for a newcomer is asked before how far it lies from them.
//!
//! A category is read in the light of its block, on both sides: two blocks about one matter need not divide it among
//! their categories alike. So every block of memory that says something carries every category that the newcomer says
//! something in, and the invariants of §9.2.1 hold over that reading: the newcomer is compared with prior blocks only;
//! an identical block lies at no distance; more memory never makes anything newer; what memory says nothing about at
//! all is not evaluable, and an empty memory admits.
//!
//! Drift comes from the three blocks that support a category most (one block that shares some words is an accident,
//! three are a matter), novelty from the nearest one alone. Neither mood nor what is neutral makes a block relevant.

use super::age;
use super::among::{self, Known};
use super::gate::Gate;
use super::kinship::{self, Evidence};
use super::traces::Traces;
use super::vectors::Vectors;
use super::verdict::{CategoryVerdict, Decision, Evaluation, Silence, Verdict};
use super::words::Words;
use crate::category::{COUNT, Category};
use crate::id::NodeId;

/// How many blocks support a category.
const SUPPORTERS: usize = 3;
/// However like a block is around it, a category none of whose own words memory has is no more like memory than this.
pub(super) const ALIKE_AROUND: f64 = 0.3;
/// A category that holds less of what the block says than this is said by the way, and makes nothing new by itself.
const ASIDE: f64 = 0.2;
/// Age counts against this many times the freshness: a peer that comes back after a weekend is not stale.
const HORIZON: f64 = 40.0;

/// A memory of fewer blocks than this turns nothing away: what it is about is not known yet. It still tells repeats.
pub(super) const FOUNDED: usize = 6;

/// An answer takes up the words of what it answers: it only repeats from this share of the redundancy distance on.
const ECHO: f64 = 0.5;

/// How an encoder's cosines are read. Each encoder has its own: a cosine of one means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Support at which a category is wholly foreign.
    pub foreign: f64,
    /// Support from which a category is wholly at home.
    pub home: f64,
    /// Share of the block's own likeness in that of a category, for support.
    pub context: f64,
    /// The same, for novelty.
    pub context_nearest: f64,
    /// Weight of the nearest block in support; the other two have `second` each.
    pub first: f64,
    /// Weight of the second and the third block.
    pub second: f64,
    /// What is left of the drift of a block that answers one that memory holds.
    pub answering: f64,
}

/// One block of memory as a candidate.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What it says.
    pub traces: &'a Traces,
    /// How much of it counts for support: its lifecycle and its age, in [0, 1].
    pub strength: f64,
    /// Whose it is: what one author said, only another confirms.
    pub author: NodeId,
}

/// What is known of the newcomer beside its words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// Its own age in seconds.
    pub age_seconds: f64,
    /// It names a parent that memory holds, under its author's signature.
    pub answers: bool,
    /// It reports how something held turned out (§6.7).
    pub grounding: bool,
}

impl Gate {
    /// Evaluate one block by covey's own path, and name for each category the place of the nearest candidate.
    pub fn select(
        &self,
        scale: &Scale,
        incoming: &Traces,
        candidates: &[Candidate<'_>],
        about: Circumstances,
    ) -> (Evaluation, [Option<usize>; COUNT]) {
        let numbers = self.thresholds();
        let temporal_drift = 1.0 - age::left(about.age_seconds, numbers.freshness_seconds * HORIZON);
        let weights = self.weights();
        let mood = Category::Mood.index();
        let only_mood = (0..COUNT).all(|category| category == mood || !incoming.speaks(category));
        let counts = |category: usize| weights[category] > 0.0 && (category != mood || only_mood);
        let counted = (0..COUNT).filter(|category| counts(*category)).fold(0, |mask, category| mask | 1 << category);
        let found: [Option<Found>; COUNT] = match incoming {
            Traces::Words(words) => Told::of(words, candidates, counted).read(),
            Traces::Vectors(vectors) => {
                let whole = Whole::of(vectors, candidates);
                std::array::from_fn(|category| whole.read(scale, category))
            }
        };
        let (mut drifts, mut total, mut novelty, mut any) = (0.0, 0.0, 0.0_f64, false);
        for (category, found) in found.iter().enumerate() {
            if let Some(found) = found.as_ref().filter(|_| counts(category)) {
                drifts += weights[category] * found.drift;
                total += weights[category];
                novelty = novelty.max(found.nearest);
                any = true;
            }
        }
        let field = if any { drifts / total } else { 0.0 };
        let field_drift = if about.answers { field * scale.answering } else { field };
        let lambda = numbers.temporal_lambda;
        let total_drift = (1.0 - lambda) * field_drift + lambda * temporal_drift;
        let repeats = if about.answers { numbers.redundancy * ECHO } else { numbers.redundancy };
        let saying = candidates.iter().filter(|candidate| candidate.traces.says_something());
        let young = saying.take(FOUNDED).count() < FOUNDED;
        let decision = match any {
            // Nothing to compare it with: memory has to begin somewhere (§9.2.1, 4), and age only makes it careful.
            false if total_drift <= numbers.stable => Decision::Aligned,
            false => Decision::Guarded,
            true if novelty < repeats && !about.grounding => Decision::Redundant,
            true => match self.band(total_drift) {
                Decision::Rejected if young => Decision::Guarded,
                decision => decision,
            },
        };
        let categories = std::array::from_fn(|category| {
            let says = incoming.speaks(category);
            self.verdict_of(weights[category], says, found[category].as_ref(), repeats)
        });
        let evaluation =
            Evaluation { decision, total_drift, field_drift, temporal_drift, max_nearest_drift: novelty, categories };
        (evaluation, found.map(|found| found.map(|found| found.place)))
    }

    fn verdict_of(&self, weight: f64, says: bool, found: Option<&Found>, repeats: f64) -> CategoryVerdict {
        let content = 1.0 - self.thresholds().temporal_lambda;
        let verdict = match found {
            None if says => Verdict::Silent(Silence::NoAnchor),
            None => Verdict::Silent(Silence::NoText),
            Some(found) if found.nearest < repeats => Verdict::Redundant,
            Some(found) => match self.band(content * found.drift) {
                Decision::Aligned => Verdict::Admit,
                Decision::Rejected => Verdict::Reject,
                Decision::Guarded | Decision::Redundant => Verdict::Guard,
            },
        };
        let (drift, nearest) = (found.map(|found| found.drift), found.map(|found| found.nearest));
        CategoryVerdict { verdict, drift, nearest, weight }
    }
}

/// What a newcomer's words amount to among candidates, for whoever learns weights; nothing of an encoder of vectors.
pub fn evidence(incoming: &Traces, candidates: &[Candidate<'_>]) -> Option<Evidence> {
    match incoming {
        Traces::Words(words) => Some(Told::of(words, candidates, u8::MAX).evidence),
        Traces::Vectors(_) => None,
    }
}

/// One category against memory.
struct Found {
    drift: f64,
    nearest: f64,
    place: usize,
}

/// A newcomer's words among its candidates.
struct Told<'a> {
    incoming: &'a Words,
    counted: u8,
    known: Known,
    evidence: Evidence,
}

impl<'a> Told<'a> {
    fn of(incoming: &'a Words, candidates: &[Candidate<'_>], counted: u8) -> Self {
        let counts = incoming.about & counted;
        let among = candidates.iter().enumerate().filter_map(|(place, candidate)| match candidate.traces {
            Traces::Words(held) => Some((&**held, place, hundredths(candidate.strength), candidate.author)),
            Traces::Vectors(_) => None,
        });
        let known = among::known(incoming, counts, among);
        let evidence = known.kinship.evidence(incoming, counts);
        Self { incoming, counted, known, evidence }
    }

    fn read(&self) -> [Option<Found>; COUNT] {
        let known = self.known.kinship.known(self.incoming);
        let most = self.known.kinship.most(self.incoming, self.incoming.about & self.counted);
        let drifts = kinship::drifts(&self.evidence, most, &known, self.counted & self.incoming.says);
        std::array::from_fn(|category| {
            self.known.nearest[category].map(|(like, place)| Found {
                drift: drifts[category],
                nearest: 1.0 - like,
                place,
            })
        })
    }
}

/// A strength in hundredths, so that sums over memory are whole.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100, and rounded")]
fn hundredths(strength: f64) -> u32 {
    let hundredths = strength.clamp(0.0, 1.0) * 100.0;
    let below = hundredths as u32;
    below + u32::from(hundredths - f64::from(below) >= 0.5)
}

/// A newcomer among its candidates, with how like each of them it is in all.
struct Whole<'a> {
    incoming: &'a Vectors,
    candidates: Vec<(&'a Vectors, f64, usize)>,
    likeness: Vec<f64>,
}

impl<'a> Whole<'a> {
    fn of(incoming: &'a Vectors, candidates: &[Candidate<'a>]) -> Self {
        let candidates: Vec<_> = candidates
            .iter()
            .enumerate()
            .filter_map(|(place, candidate)| match candidate.traces {
                Traces::Vectors(held) => Some((&**held, candidate.strength, place)),
                Traces::Words(_) => None,
            })
            .collect();
        let likeness = candidates.iter().map(|(held, ..)| incoming.likeness(held).max(0.0)).collect();
        Self { incoming, candidates, likeness }
    }

    fn read(&self, scale: &Scale, category: usize) -> Option<Found> {
        let said = self.incoming.categories[category].as_ref()?;
        let aside = self.incoming.shares[category] < ASIDE;
        let most = |own: f64| if aside { 1.0 } else { 2.0 * own + ALIKE_AROUND };
        let mut best = [0.0; SUPPORTERS];
        let (mut nearest, mut place) = (-1.0, None);
        for ((held, strength, at), whole) in self.candidates.iter().zip(&self.likeness) {
            let Some(block) = &held.block else { continue };
            let beside = said.cosine(block).max(0.0);
            let own = held.categories[category].as_ref().map_or(0.0, |code| said.cosine(code));
            insert(&mut best, strength * mixed(beside, *whole, scale.context));
            let own = beside.max(own);
            let like = mixed(own, *whole, scale.context_nearest).min(most(own));
            if like > nearest {
                (nearest, place) = (like, Some(*at));
            }
        }
        let support = scale.first * best[0] + scale.second * (best[1] + best[2]);
        let drift = 1.0 - ((support - scale.foreign) / (scale.home - scale.foreign)).clamp(0.0, 1.0);
        place.map(|place| Found { drift, nearest: (1.0 - nearest).clamp(0.0, 1.0), place })
    }
}

fn mixed(own: f64, whole: f64, context: f64) -> f64 {
    (1.0 - context) * own + context * whole
}

/// Keep the largest values, largest first.
fn insert(best: &mut [f64; SUPPORTERS], value: f64) {
    let mut value = value;
    for held in best {
        if value > *held {
            std::mem::swap(held, &mut value);
        }
    }
}
