//! The gate: thresholds, weights, and the decision.

use super::age;
use super::drift::{self, Anchor, Distance};
use super::features::Features;
use super::verdict::{CategoryVerdict, Decision, Evaluation, Silence, Verdict};
use crate::category::{COUNT, Profile, Weights};
use crate::error::{Reason, Refusal};

/// The numbers a receiver decides by. They are its own policy (MMP 2.0 §9.2, §19).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Total drift up to which a record is aligned.
    pub stable: f64,
    /// Total drift up to which a record is guarded.
    pub guarded: f64,
    /// Share of age in the total drift, in [0, 1].
    pub temporal_lambda: f64,
    /// Nearest-anchor distance below which a category only repeats.
    pub redundancy: f64,
    /// Seconds after which a record, or an anchor, has lost 63 % of its freshness.
    pub freshness_seconds: f64,
    /// The least that age leaves of an anchor. The reference has none (0), so after 18 times the freshness its memory
    /// weighs nothing and a quiet node admits everything again, as if it were new.
    pub decay_floor: f64,
}

impl Thresholds {
    /// The reference baseline's numbers.
    pub const REFERENCE: Self = Self {
        stable: 0.25,
        guarded: 0.5,
        temporal_lambda: 0.3,
        redundancy: 0.10,
        freshness_seconds: 1800.0,
        decay_floor: 0.0,
    };

    /// The reference's numbers, with a floor that keeps old memory comparable and still lets anything newer outweigh it
    /// a million times.
    pub const DEFAULT: Self = Self { decay_floor: 1e-6, ..Self::REFERENCE };

    fn check(&self) -> Result<(), Refusal> {
        let unit = [
            ("temporal_lambda", self.temporal_lambda),
            ("redundancy", self.redundancy),
            ("decay_floor", self.decay_floor),
        ];
        for (name, value) in unit {
            if !(0.0..=1.0).contains(&value) {
                return Err(bad(format!("{name}: expected 0 to 1, got {value}")));
            }
        }
        if !(self.freshness_seconds.is_finite() && self.freshness_seconds > 0.0) {
            return Err(bad(format!("freshness_seconds: expected a positive number, got {}", self.freshness_seconds)));
        }
        let ordered =
            self.stable.is_finite() && self.guarded.is_finite() && 0.0 <= self.stable && self.stable <= self.guarded;
        if !ordered {
            return Err(bad(format!(
                "stable and guarded: expected 0 <= stable <= guarded, got {} and {}",
                self.stable, self.guarded
            )));
        }
        Ok(())
    }
}

/// Checked thresholds and weights: a gate that exists can decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    thresholds: Thresholds,
    weights: Weights,
}

impl Gate {
    /// Make a gate. A category of weight 0 takes no part.
    pub fn new(weights: Weights, thresholds: Thresholds) -> Result<Self, Refusal> {
        thresholds.check()?;
        Ok(Self { thresholds, weights })
    }

    /// A gate with a published profile's weights and freshness.
    pub fn of_profile(profile: &Profile) -> Self {
        let thresholds = Thresholds { freshness_seconds: profile.freshness_seconds, ..Thresholds::DEFAULT };
        Self { thresholds, weights: profile.weights }
    }

    /// The thresholds of this gate.
    pub const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// The seven weights of this gate.
    pub(super) const fn weights(&self) -> &[f64; COUNT] {
        self.weights.as_array()
    }

    /// What `age_seconds` leaves of an anchor.
    pub fn decay(&self, age_seconds: f64) -> f64 {
        age::left(age_seconds, self.thresholds.freshness_seconds).max(self.thresholds.decay_floor)
    }

    /// Evaluate one block against memory.
    ///
    /// `age_seconds` is the block's own age, at least 0. `anchors` must not hold the block itself. `grounding` waives
    /// the redundancy gate for an outcome report that repeats its target's words (§6.7).
    pub fn evaluate<const D: usize>(
        &self,
        incoming: &Features<D>,
        age_seconds: f64,
        anchors: &[Anchor<'_, D>],
        grounding: bool,
    ) -> Evaluation {
        self.judge(incoming, age_seconds, anchors, grounding).0
    }

    /// As [`Gate::evaluate`], and for each category the place of the anchor it lies nearest to.
    pub fn judge<const D: usize>(
        &self,
        incoming: &Features<D>,
        age_seconds: f64,
        anchors: &[Anchor<'_, D>],
        grounding: bool,
    ) -> (Evaluation, [Option<usize>; COUNT]) {
        let temporal_drift = 1.0 - age::left(age_seconds, self.thresholds.freshness_seconds);
        let distances = drift::read(incoming, self.weights.as_array(), anchors);
        let categories = std::array::from_fn(|category| {
            self.category_verdict(category, incoming.present[category], distances[category])
        });
        let lambda = self.thresholds.temporal_lambda;
        let (field_drift, max_nearest_drift, total_drift) = match self.aggregate(&distances) {
            None => (0.0, 0.0, lambda * temporal_drift),
            Some((field, nearest)) => (field, nearest, (1.0 - lambda) * field + lambda * temporal_drift),
        };
        let repeats =
            distances.iter().any(Option::is_some) && max_nearest_drift < self.thresholds.redundancy && !grounding;
        let decision = if repeats { Decision::Redundant } else { self.band(total_drift) };
        let evaluation =
            Evaluation { decision, total_drift, field_drift, temporal_drift, max_nearest_drift, categories };
        (evaluation, distances.map(|distance| distance.map(|distance| distance.anchor)))
    }

    /// Weighted mean drift and largest nearest distance over the comparable categories.
    fn aggregate(&self, distances: &[Option<Distance>; COUNT]) -> Option<(f64, f64)> {
        let (mut weighted, mut weights, mut nearest) = (0.0, 0.0, f64::NEG_INFINITY);
        for (distance, weight) in distances.iter().zip(self.weights.as_array()) {
            if let Some(distance) = distance {
                weighted += weight * distance.drift;
                weights += weight;
                nearest = nearest.max(distance.nearest);
            }
        }
        // A comparable category has a positive weight: one of weight 0 reads nothing and stays silent.
        (weights > 0.0).then(|| (weighted / weights, nearest))
    }

    pub(super) fn band(&self, drift: f64) -> Decision {
        if drift > self.thresholds.guarded {
            Decision::Rejected
        } else if drift <= self.thresholds.stable {
            Decision::Aligned
        } else {
            Decision::Guarded
        }
    }

    fn category_verdict(&self, category: usize, text: bool, distance: Option<Distance>) -> CategoryVerdict {
        let verdict = match distance {
            None if text => Verdict::Silent(Silence::NoAnchor),
            None => Verdict::Silent(Silence::NoText),
            Some(distance) if distance.nearest < self.thresholds.redundancy => Verdict::Redundant,
            Some(distance) => match self.band(distance.drift) {
                Decision::Aligned => Verdict::Admit,
                Decision::Rejected => Verdict::Reject,
                Decision::Guarded | Decision::Redundant => Verdict::Guard,
            },
        };
        CategoryVerdict {
            verdict,
            drift: distance.map(|distance| distance.drift),
            nearest: distance.map(|distance| distance.nearest),
            weight: self.weights.as_array()[category],
        }
    }
}

fn bad(detail: String) -> Refusal {
    Refusal::new(Reason::InvalidArgument, detail)
}
