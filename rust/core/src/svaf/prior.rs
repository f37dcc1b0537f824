//! What others learned, as a prior: concepts that came in merged bundles, each with a sign that says whether it turned out
//! well. A prior moves the drift of covey's own path and nothing else: never novelty, never a category's verdict. It reads
//! blocks with an encoder of its own, one that makes vectors, whatever memory is compared with.
//!
//! Local learning dominates. A prior counts as at most [`MASS`] blocks of memory beside those that memory holds, and memory
//! itself counts as [`OWN`] blocks before it holds any. So with `n` blocks held the drift moves by at most
//! `mass / (mass + OWN + n)`, whatever a prior says.

use super::gate::Gate;
use super::vectors::{Code, Vectors};
use super::verdict::{Decision, Evaluation};
use crate::category::COUNT;
use crate::encoder::Encoder;
use crate::error::{Reason, Refusal};

/// The most blocks that a prior counts as, chosen on the tuning part (benches/substrate): more helps who holds nothing, and
/// harms who holds a few.
pub const MASS: f64 = 6.0;
/// Blocks that a memory counts as before it holds any: a prior of little mass turns nothing away by itself.
pub const OWN: f64 = 4.0;
/// The most concepts of one prior: some bundles' worth, and still one comparison each for a block.
pub const CONCEPTS: usize = 1_024;
/// What is left of the drift of a block that answers one that memory holds.
const ANSWERING: f64 = 0.3;

/// How the cosine of a block and a concept is read, chosen for each encoder on the tuning part (benches/substrate).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearness {
    /// Cosine up to which a block is wholly foreign to a concept.
    pub foreign: f64,
    /// Cosine from which it is wholly at home there.
    pub home: f64,
}

impl Nearness {
    /// The numbers of an encoder.
    pub const fn of(encoder: &Encoder) -> Self {
        match encoder {
            Encoder::Lexis | Encoder::Words => Self { foreign: 0.05, home: 0.20 },
            Encoder::Ngram => Self { foreign: 0.30, home: 0.50 },
            Encoder::Table(_) => Self { foreign: 0.45, home: 0.70 },
        }
    }
}

/// One concept: what blocks of a matter have in common, and how much it counts for (above 0) or against (below).
#[derive(Clone, Debug, PartialEq)]
pub struct Concept {
    code: Code,
    pull: f64,
}

impl Concept {
    /// A concept of a vector of whole numbers, which says something.
    ///
    /// # Errors
    /// The vector is nothing, or the pull is none of -1 to 1.
    pub fn new(values: &[i8], pull: f64) -> Result<Self, Refusal> {
        let bad = |detail: &str| Refusal::new(Reason::InvalidArgument, detail.to_owned());
        if !(-1.0..=1.0).contains(&pull) || pull == 0.0 {
            return Err(bad("pull: expected -1 to 1, and not 0"));
        }
        let code = Code::of_values(values).ok_or_else(|| bad("concept: its vector is nothing"))?;
        Ok(Self { code, pull })
    }
}

/// A checked prior.
#[derive(Clone, Debug)]
pub struct Prior {
    concepts: Vec<Concept>,
    mass: f64,
    encoder: Encoder,
    nearness: Nearness,
}

impl Prior {
    /// A prior of the concepts of one encoder.
    ///
    /// # Errors
    /// The encoder makes no vectors, there are too many, or the mass is none of 0 to [`MASS`].
    pub fn new(encoder: &Encoder, concepts: Vec<Concept>, mass: f64, nearness: Nearness) -> Result<Self, Refusal> {
        if encoder.dimensions() == 0 {
            return Err(Refusal::new(Reason::InvalidArgument, "prior: an encoder that makes vectors is expected"));
        }
        if concepts.len() > CONCEPTS {
            let detail = format!("prior: {} concepts, at most {CONCEPTS}", concepts.len());
            return Err(Refusal::new(Reason::InvalidArgument, detail));
        }
        if !(0.0..=MASS).contains(&mass) {
            return Err(Refusal::new(Reason::InvalidArgument, format!("mass: expected 0 to {MASS}, got {mass}")));
        }
        if !(0.0 <= nearness.foreign && nearness.foreign < nearness.home && nearness.home <= 1.0) {
            return Err(Refusal::new(Reason::InvalidArgument, "nearness: expected 0 <= foreign < home <= 1"));
        }
        Ok(Self { concepts, mass, encoder: encoder.clone(), nearness })
    }

    /// How foreign a block is to what was learned, from 0 to 1; `None` where that says nothing of it.
    pub fn drift(&self, texts: [&str; COUNT]) -> Option<f64> {
        let block = Vectors::of_texts(&self.encoder, texts).block?;
        let Nearness { foreign, home } = self.nearness;
        let (mut good, mut nearest, mut bad) = (None, -1.0, (-1.0, 0.0));
        for concept in &self.concepts {
            let like = block.cosine(&concept.code);
            if concept.pull > 0.0 {
                let homely = (2.0 * concept.pull).min(1.0) * ((like - foreign) / (home - foreign)).clamp(0.0, 1.0);
                good = Some(good.map_or(homely, |most: f64| most.max(homely)));
                nearest = like.max(nearest);
            } else if like > bad.0 {
                bad = (like, -concept.pull);
            }
        }
        let homely = good?; // only what was turned away is known: nothing follows for anything else
        Some(1.0 - if bad.0 > nearest { homely * (1.0 - bad.1) } else { homely })
    }

    /// How much of the drift is the prior's, beside `held` blocks of memory.
    #[expect(clippy::cast_precision_loss, reason = "some thousand blocks")]
    pub fn share(&self, held: usize) -> f64 {
        self.mass / (self.mass + OWN + held as f64)
    }
}

impl Gate {
    /// Let a prior move an evaluation of covey's own path, and say by how much the total drift moved.
    ///
    /// `None` where it has nothing to say: what only repeats memory stays redundant. `held` are the blocks that memory
    /// holds in all, `answers` is as in the evaluation.
    pub fn informed(
        &self,
        evaluation: &mut Evaluation,
        prior: &Prior,
        texts: [&str; COUNT],
        held: usize,
        answers: bool,
    ) -> Option<f64> {
        let bootstrap = evaluation.bootstrap();
        let share = prior.share(held);
        if evaluation.decision == Decision::Redundant || share <= 0.0 {
            return None;
        }
        let drift = prior.drift(texts)? * if answers { ANSWERING } else { 1.0 };
        let content = 1.0 - self.thresholds().temporal_lambda;
        let moved = content * share * (drift - evaluation.field_drift);
        evaluation.field_drift += share * (drift - evaluation.field_drift);
        evaluation.total_drift += moved;
        evaluation.decision = match self.band(evaluation.total_drift) {
            // Age alone never turns away what memory cannot compare (§9.2.1, 4).
            Decision::Rejected if bootstrap && self.band(content * evaluation.field_drift) != Decision::Rejected => {
                Decision::Guarded
            }
            band => band,
        };
        Some(moved)
    }
}
